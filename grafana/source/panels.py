"""The kinds of panel, each with the settings that all panels of the house share.

Belongs here: what a panel of a kind looks like. Does not belong here: what it shows (the dashboards) or what stands
around it (`board`). Every panel says what it shows, in which unit, and what an empty panel means.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import heatmap, stat, statetimeline, statushistory, table, timeseries
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DashboardRangeMapOptions,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    MatcherConfig,
    RangeMap,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale

SOURCE = common.DataSourceRef(type_val="influxdb", uid="esus-influxql")
WINDOW = "15m"
"""Finest step of a query: the pipeline's windows."""
CONNECT = 3_600_000.0
"""Milliseconds. A line bridges gaps up to this; a longer gap is seen as a gap."""

Property = tuple[str, object]
Steps = Sequence[tuple[float | None, str]]


@dataclass
class Influx(Dataquery):
    """One InfluxQL query; the SDK has none of its own. `alias` names the series: $col, $tag_room, or a word."""

    query: str
    alias: str = "$col"
    table: bool = False
    ref: str = "A"

    def __post_init__(self) -> None:
        """Lines that the source breaks are one line in Grafana's editor."""
        self.query = " ".join(self.query.split())

    def to_json(self) -> dict[str, object]:
        """As Grafana's InfluxDB data source stores it."""
        query: dict[str, object] = {
            "datasource": SOURCE,
            "query": self.query,
            "rawQuery": True,
            "refId": self.ref,
            "resultFormat": "table" if self.table else "time_series",
        }
        return query if self.table else query | {"alias": self.alias}


@dataclass
class _Built(Builder[Dataquery]):
    query: Influx

    def build(self) -> Influx:
        return self.query


def _dress(panel, title: str, description: str, unit: str, empty: str, queries: Sequence[Influx]):
    for ref, query in zip("ABCDEFGHIJ", queries, strict=False):
        query.ref = ref
    return (
        panel.title(title)
        .description(description)
        .unit(unit)
        .no_value(empty)
        .thresholds(steps((None, "text")))  # without a word Grafana turns red at 80
        .datasource(SOURCE)
        .targets([_Built(query) for query in queries])
        .interval(WINDOW)
    )


def lines(title: str, description: str, unit: str, empty: str, *queries: Influx) -> timeseries.Panel:
    """Values over time. Gaps up to an hour are bridged, longer ones stay open."""
    legend = (
        common_builders.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    tooltip = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    panel = timeseries.Panel().line_width(1.5).fill_opacity(0).show_points(common.VisibilityMode.AUTO)
    panel = panel.span_nulls(CONNECT).legend(legend).tooltip(tooltip).span(12).height(8)
    return _dress(panel, title, description, unit, empty, queries)


def bars(title: str, description: str, unit: str, empty: str, *queries: Influx) -> timeseries.Panel:
    """Amounts per interval, stacked."""
    stacking = common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
    panel = lines(title, description, unit, empty, *queries)
    return panel.draw_style(common.GraphDrawStyle.BARS).fill_opacity(60).stacking(stacking).min(0)


def number(title: str, description: str, unit: str, empty: str, *queries: Influx) -> stat.Panel:
    """The newest value, large, coloured by its thresholds."""
    reduce = common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
    panel = stat.Panel().reduce_options(reduce).color_mode(common.BigValueColorMode.VALUE)
    panel = panel.graph_mode(common.BigValueGraphMode.AREA).span(4).height(4)
    return _dress(panel, title, description, unit, empty, queries)


def states(title: str, description: str, unit: str, empty: str, *queries: Influx) -> statetimeline.Panel:
    """One bar per series that changes colour with its state."""
    panel = statetimeline.Panel().show_value(common.VisibilityMode.AUTO).merge_values(True).row_height(0.8)
    panel = panel.span_nulls(int(CONNECT)).fill_opacity(70).line_width(0).span(12).height(7)
    return _dress(panel, title, description, unit, empty, queries)


def cells(title: str, description: str, unit: str, empty: str, *queries: Influx) -> statushistory.Panel:
    """A grid of cells, one row per series, coloured by thresholds; 30 rows a page."""
    by_level = FieldColor().mode(FieldColorModeId.THRESHOLDS)
    panel = statushistory.Panel().show_value(common.VisibilityMode.NEVER).row_height(0.9).col_width(1)
    panel = panel.color_scheme(by_level)
    panel = panel.fill_opacity(85).line_width(0).per_page(30).max_data_points(96).span(24).height(16)
    return _dress(panel, title, description, unit, empty, queries)


def heat(title: str, description: str, unit: str, empty: str, *queries: Influx) -> heatmap.Panel:
    """How many series have which value, over time; the value's axis is logarithmic."""
    log = common_builders.ScaleDistributionConfig().type(common.ScaleDistribution.LOG).log(2)
    buckets = common_builders.HeatmapCalculationBucketConfig().mode(common.HeatmapCalculationMode.SIZE).scale(log)
    time = common_builders.HeatmapCalculationBucketConfig().mode(common.HeatmapCalculationMode.SIZE).value("30m")
    calculation = common_builders.HeatmapCalculationOptions().x_buckets(time).y_buckets(buckets)
    color = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    color = color.scale(HeatmapColorScale.EXPONENTIAL).exponent(0.5)
    axis = heatmap.YAxisConfig().unit(unit).axis_placement(common.AxisPlacement.LEFT)
    panel = heatmap.Panel().calculate(True).calculation(calculation).color(color).y_axis(axis)
    panel = panel.cell_gap(1).max_data_points(96).span(12).height(9)
    return _dress(panel, title, description, unit, empty, queries)


def rows(title: str, description: str, unit: str, empty: str, *queries: Influx) -> table.Panel:
    """A table; its queries come as tables."""
    for query in queries:
        query.table = True
    panel = table.Panel().show_header(True).cell_height(common.TableCellHeight.SM).filterable(True).span(24).height(9)
    panel = panel.override_by_regexp("/.*/", look(("noValue", "-")))  # else every empty cell says what `empty` says
    return _dress(panel, title, description, unit, empty, queries)


def steps(*levels: tuple[float | None, str]) -> ThresholdsConfig:
    """Colours from each level upwards; the first level is None, for everything below the second."""
    found = [Threshold(value=value, color=color) for value, color in levels]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def words(meaning: dict[str, tuple[str, str]]) -> list[ValueMapping]:
    """A text and a colour for single values."""
    options = {
        value: ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(meaning.items())
    }
    return [ValueMap(options=options)]


def between(low: float, high: float, text: str | None, color: str) -> ValueMapping:
    """A text (None: the number itself) and a colour for a range of values."""
    result = ValueMappingResult(text=text, color=color)
    return RangeMap(options=DashboardRangeMapOptions(from_val=low, to=high, result=result))


def look(*properties: Property) -> list[DynamicConfigValue]:
    """Settings of one series or column, by Grafana's names."""
    return [DynamicConfigValue(id_val=name, value=value) for name, value in properties]


def color(name: str) -> Property:
    """A fixed colour."""
    return "color", {"mode": "fixed", "fixedColor": name}


DASHED: Property = ("custom.lineStyle", {"fill": "dash", "dash": [8, 8]})
RIGHT: Property = ("custom.axisPlacement", "right")
STEPPED: Property = ("custom.lineInterpolation", "stepAfter")


TEXT: Property = ("unit", "string")
"""For columns of ids: without it a room named 1.213 would be shown as 1.2 minutes."""


def transform(kind: str, only: str | None = None, **options: object) -> DataTransformerConfig:
    """One of Grafana's transformations of query results, of one query only or of all."""
    of = MatcherConfig(id_val="byRefId", options=only) if only else None
    return DataTransformerConfig(id_val=kind, options=options, filter_val=of)

"""The few questions that the demo asks of Dagster's webserver, over its GraphQL API."""

from typing import Any

import httpx

LOCATION = "esus_pipeline"

_READY = "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"

_LAUNCH = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}"""

_BACKFILLS = """
query ($filters: BulkActionsFilter!) {
  partitionBackfillsOrError(filters: $filters, limit: 1) { ... on PartitionBackfills { results { id } } }
}"""

_UNFINISHED = ["REQUESTED", "CANCELING", "FAILING"]

_MATERIALIZED = """
query ($keys: [AssetKeyInput!]) {
  assetNodes(assetKeys: $keys) {
    assetKey { path }
    assetPartitionStatuses {
      ... on TimePartitionStatuses { ranges { status startKey endKey } }
    }
  }
}"""


class DagsterApiError(RuntimeError):
    """Dagster did not answer, or refused; the message says what it said."""


class DagsterApi:
    """GraphQL of one webserver. Every method but `ready` raises DagsterApiError."""

    def __init__(self, url: str) -> None:
        """`url` without a path; nothing is sent yet."""
        self._url = f"{url}/graphql"

    def ready(self) -> bool:
        """Whether the webserver answers and has loaded the pipeline."""
        try:
            workspace = self._ask(_READY)["workspaceOrError"]
        except DagsterApiError:
            return False
        states = [entry["locationOrLoadError"] for entry in workspace.get("locationEntries", [])]
        return bool(states) and all(state and state["__typename"] == "RepositoryLocation" for state in states)

    def launch_backfill(self, assets: list[str], partitions: list[str], title: str) -> str:
        """Start a backfill as the UI does; its id."""
        params = {
            "assetSelection": [{"path": [asset]} for asset in assets],
            "partitionNames": partitions,
            "title": title,
        }
        answer = self._ask(_LAUNCH, {"params": params})["launchPartitionBackfill"]
        if "backfillId" not in answer:
            raise DagsterApiError(f"the backfill was refused: {answer.get('message') or answer['__typename']}")
        return str(answer["backfillId"])

    def backfill_under_way(self) -> bool:
        """Whether any backfill has not ended."""
        answer = self._ask(_BACKFILLS, {"filters": {"statuses": _UNFINISHED}})["partitionBackfillsOrError"]
        return bool(answer["results"])

    def materialized(self, assets: list[str]) -> dict[str, list[tuple[str, str]]]:
        """Per asset the ranges of windows (first and last key) that are materialised."""
        nodes = self._ask(_MATERIALIZED, {"keys": [{"path": [asset]} for asset in assets]})["assetNodes"]
        return {
            node["assetKey"]["path"][0]: [
                (each["startKey"], each["endKey"])
                for each in node["assetPartitionStatuses"]["ranges"]
                if each["status"] == "MATERIALIZED"
            ]
            for node in nodes
        }

    def _ask(self, query: str, variables: dict[str, Any] | None = None) -> Any:
        try:
            response = httpx.post(self._url, json={"query": query, "variables": variables or {}}, timeout=30.0)
            response.raise_for_status()
            body = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise DagsterApiError(f"the webserver does not answer: {error}") from None
        if body.get("errors"):
            raise DagsterApiError(f"the webserver refused a query: {body['errors'][0]['message']}")
        return body["data"]

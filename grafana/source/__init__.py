"""The source of the Grafana dashboards. `make dashboards` writes what is here to grafana/dashboards/*.json.

Each dashboard is a module with one function; `panels` and `board` are the words they are written in. What the queries
ask for is described in docs/influxdb.md.
"""

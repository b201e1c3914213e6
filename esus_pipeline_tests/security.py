"""`make security`: the security checklist, each item as something that runs here and now, printed as a list.

Tests of one item may stand in several files; all of them run in one session of pytest, so that the whole system is
started once. What only the VM can show is in docs/security.md.
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

REPO = Path(__file__).parents[1]
TESTS = "esus_pipeline_tests/"
PYTHON = sys.executable


@dataclass(frozen=True)
class Item:
    """One line of the checklist: tests (file::function below esus_pipeline_tests) or a command that must succeed."""

    promise: str
    tests: tuple[str, ...] = ()
    command: str = ""


ITEMS = (
    Item(
        "443 and 80 alone are published, by default to this machine; databases have no way out",
        (
            "deploy/test_compose.py::test_only_nginx_and_the_operators_ui_are_published_and_by_default_to_this_machine_alone",
            "deploy/test_compose.py::test_databases_have_no_way_out_and_nginx_no_way_to_them",
            "deploy/test_systemd.py::test_nothing_listens_beyond_the_loopback_interface_and_no_secret_is_in_a_unit",
        ),
    ),
    Item(
        "Dagster and the plan page ask for a password, and readers cannot change anything",
        (
            "deploy/test_stack.py::test_without_the_password_there_is_nothing",
            "deploy/test_stack.py::test_whoever_reads_dagster_cannot_change_it",
            "deploy/test_stack.py::test_what_is_not_for_readers_is_not_there",
        ),
    ),
    Item(
        "TLS 1.2 and 1.3 alone, plain HTTP leads to it, HSTS",
        (
            "deploy/test_stack.py::test_old_tls_is_refused",
            "deploy/test_stack.py::test_plain_http_leads_to_tls",
            "deploy/test_stack.py::test_every_answer_carries_the_headers",
        ),
    ),
    Item(
        "nginx: Host and client address are true, WebSockets pass, security headers on every answer",
        (
            "deploy/test_stack.py::test_grafana_hears_the_truth_about_who_asks",
            "deploy/test_stack.py::test_websockets_pass_to_grafana_and_to_dagster",
            "deploy/test_stack.py::test_every_answer_carries_the_headers",
        ),
    ),
    Item("Sign-ins are limited", ("deploy/test_stack.py::test_guessing_passwords_is_slowed_down",)),
    Item(
        "Grafana: no anonymous users, no sign-up, no embedding, strict cookies, secrets in files",
        ("deploy/test_compose.py::test_grafana_lets_nobody_in_without_a_name",),
    ),
    Item(
        "InfluxDB: the writer cannot read, the reader cannot write",
        ("real/test_influx_target.py",),
    ),
    Item(
        "Containers: exact images, not root, read-only, no capabilities, limits, health checks",
        (
            "deploy/test_compose.py::test_every_service_is_shut_in",
            "deploy/test_compose.py::test_images_have_exact_tags",
            "deploy/test_compose.py::test_every_service_says_whether_it_works_and_waits_for_what_it_needs",
            "deploy/test_stack.py::test_services_write_nowhere_but_in_their_volumes",
        ),
    ),
    Item("systemd units: exposure of at most 4.0", ("deploy/test_systemd.py::test_a_service_is_shut_in",)),
    Item(
        "Secrets: files of mode 0400 for one user each, none in the environment, none in git, missing means no start",
        (
            "deploy/test_compose.py::test_no_secret_stands_in_the_environment_and_each_has_one_reader",
            "deploy/test_compose.py::test_the_set_up_script_makes_every_secret_for_the_user_who_reads_it",
            "defs/test_settings.py::test_a_secret_that_is_missing_empty_or_given_twice_is_refused_without_showing_it",
            "defs/test_settings.py::test_the_example_holds_no_secret",
        ),
    ),
    Item("Secrets: none is tracked", command="! git ls-files | grep -E '(^|/)(secrets/|\\.env$|.*\\.(pem|key)$)'"),
    Item(
        "No secret in logs, databases, errors and metadata, whatever fails",
        (
            "bms/test_secrets.py",
            "deploy/test_stack.py::test_secrets_are_in_no_log_and_no_file_that_is_written",
        ),
    ),
    Item("The building's client: no redirects, limits of size and time", ("bms/test_client.py",)),
    Item("Exports: no formula in CSV", ("cli/test_export.py",)),
    Item(
        "Supply chain: the locks are what the requirements resolve to; all that is installed stands in them",
        command="make --silent check-lock",
    ),
    Item("Code: ruff's security rules", command=".venv/bin/ruff check --quiet --select S esus_pipeline"),
    Item("Shell scripts: shellcheck", command="shellcheck -S warning -x deploy/*.sh"),
    Item(
        "Backup: a restored system has the same counts",
        ("deploy/test_backup.py::test_a_backup_restores_the_whole_system",),
    ),
)


def main() -> int:
    """Run all; 0 when every item holds."""
    outcomes = run_tests(sorted({test for item in ITEMS for test in item.tests}))
    failed = 0
    for item in ITEMS:
        good, shown = judge(item, outcomes)
        failed += not good
        print(f"{'ok    ' if good else 'FAILED'}  {item.promise}")
        for line in shown:
            print(f"          {line}")
    print(f"{len(ITEMS) - failed} of {len(ITEMS)} items hold")
    return 1 if failed else 0


def judge(item: Item, outcomes: dict[str, list[str]]) -> tuple[bool, list[str]]:
    """Whether an item holds, and the commands that show it. A test that was skipped shows nothing."""
    good, shown = True, []
    for test in item.tests:
        found = [each for name, states in outcomes.items() if name.startswith(test) for each in states]
        good &= bool(found) and set(found) == {"passed"}
        shown.append(f"pytest {TESTS}{test}{'' if found else '  (did not run)'}")
    if item.command:
        done = subprocess.run(["bash", "-c", item.command], cwd=REPO, capture_output=True, text=True)
        good &= done.returncode == 0
        shown.append(item.command)
        if done.returncode:
            shown += (done.stdout + done.stderr).strip().splitlines()[-20:]
    return good, shown


def run_tests(tests: list[str]) -> dict[str, list[str]]:
    """Outcomes (passed, failed, skipped) of the tests by file::function."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        words = [PYTHON, "-m", "pytest", "-q", "-o", "junit_family=xunit1", f"--junitxml={report}"]
        subprocess.run([*words, *(TESTS + test for test in tests)], cwd=REPO, check=False)
        outcomes: dict[str, list[str]] = {}
        for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314
            name = f"{case.get('file', '').removeprefix(TESTS)}::{case.get('name', '').partition('[')[0]}"
            state = "failed" if case.find("failure") is not None or case.find("error") is not None else "passed"
            outcomes.setdefault(name, []).append("skipped" if case.find("skipped") is not None else state)
        return outcomes


if __name__ == "__main__":
    sys.exit(main())

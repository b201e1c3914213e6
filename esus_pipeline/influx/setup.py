"""Setting up InfluxDB 2.x for the pipeline: bucket, DBRP mapping and two tokens. Doing it again changes nothing.

With influxdb-client, as a user whose token may administer the organisation. Tokens go into files of mode 0600 and are
never printed: InfluxDB shows a token only once, when it is made.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.authorization import Authorization
from influxdb_client.domain.bucket import Bucket
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from influxdb_client.domain.dbrp_create import DBRPCreate
from influxdb_client.domain.permission import Permission
from influxdb_client.domain.permission_resource import PermissionResource
from influxdb_client.rest import ApiException
from influxdb_client.service.dbr_ps_service import DBRPsService

from esus_pipeline.influx.config import InfluxConfig, InfluxError

RETENTION_POLICY = "autogen"
TOKEN_FILES = {"write": "influxdb_token", "read": "influxdb_read_token"}
SETTING_OF = {"write": "INFLUXDB_TOKEN", "read": "INFLUXDB_READ_TOKEN"}
_TIMEOUT_MS = 30_000


@dataclass(frozen=True)
class Step:
    """One thing that was looked at, and what was done about it."""

    subject: str
    message: str


def set_up(admin: InfluxConfig, retention_days: int | None, folder: Path, rotate: bool) -> Iterator[Step]:
    """Make what is missing; what there is stays.

    Args:
        admin: the server, organisation and bucket, with a token that may administer them.
        retention_days: how long points are kept, 0 for ever; None leaves an existing bucket as it is.
        folder: where new tokens are written.
        rotate: replace both tokens, also where their files are there.

    Raises InfluxError with what to do.
    """
    with InfluxDBClient(url=admin.url, token=admin.token, org=admin.org, timeout=_TIMEOUT_MS) as client:
        try:
            org_id = _organisation(client, admin)
            bucket, step = _bucket(client, admin, org_id, retention_days)
            yield step
            yield _mapping(client, admin, org_id, bucket)
            for access in ("write", "read"):
                yield _token(client, admin, org_id, bucket, access, folder, rotate)
        except ApiException as error:
            raise InfluxError(_explained(admin, error)) from None
        except urllib3.exceptions.HTTPError as error:
            raise InfluxError(
                f"InfluxDB at {admin.host} does not answer ({type(error).__name__}); is INFLUXDB_URL right?"
            ) from None
        except OSError as error:
            raise InfluxError(f"{folder} cannot hold the tokens: {error.strerror}; choose another --secrets") from None


def _organisation(client: InfluxDBClient, admin: InfluxConfig) -> str:
    found = [org for org in client.organizations_api().find_organizations(org=admin.org) if org.name == admin.org]
    if not found:
        raise InfluxError(f"There is no organisation {admin.org}; check INFLUXDB_ORG, or make it with `influx setup`.")
    return str(found[0].id)


def _bucket(
    client: InfluxDBClient, admin: InfluxConfig, org_id: str, retention_days: int | None
) -> tuple[Bucket, Step]:
    buckets = client.buckets_api()
    bucket = buckets.find_bucket_by_name(admin.bucket)
    wanted = None if retention_days is None else retention_days * 86_400
    if bucket is None:
        rules = [BucketRetentionRules(type="expire", every_seconds=wanted or 0)]
        bucket = buckets.create_bucket(bucket_name=admin.bucket, org=org_id, retention_rules=rules)
        return bucket, Step("bucket", f"{admin.bucket} made; points are kept {_kept(wanted or 0)}")
    stands = bucket.retention_rules[0].every_seconds if bucket.retention_rules else 0
    if wanted is None or wanted == stands:
        return bucket, Step("bucket", f"{admin.bucket} is there; points are kept {_kept(stands)}")
    bucket.retention_rules = [BucketRetentionRules(type="expire", every_seconds=wanted)]
    buckets.update_bucket(bucket)
    return bucket, Step("bucket", f"{admin.bucket}: points were kept {_kept(stands)} and are now kept {_kept(wanted)}")


def _mapping(client: InfluxDBClient, admin: InfluxConfig, org_id: str, bucket: Bucket) -> Step:
    """InfluxQL, which Grafana speaks, finds a bucket by a database name."""
    service = DBRPsService(client.api_client)
    found = service.get_dbr_ps(org_id=org_id, db=admin.bucket).content or []
    explicit = [mapping for mapping in found if not getattr(mapping, "virtual", False)]
    if any(mapping.bucket_id == bucket.id and mapping.default for mapping in explicit):
        return Step("mapping", f"database {admin.bucket} is the bucket's")
    strangers = [mapping for mapping in explicit if mapping.bucket_id != bucket.id]
    if strangers:
        raise InfluxError(
            f"The database name {admin.bucket} belongs to another bucket ({strangers[0].bucket_id}); "
            "remove that mapping (`influx v1 dbrp delete`) or choose another INFLUXDB_BUCKET."
        )
    service.post_dbrp(
        DBRPCreate(
            org_id=org_id,
            bucket_id=bucket.id,
            database=admin.bucket,
            retention_policy=RETENTION_POLICY,
            default=True,
        )
    )
    return Step("mapping", f"database {admin.bucket} made for InfluxQL")


def _token(
    client: InfluxDBClient,
    admin: InfluxConfig,
    org_id: str,
    bucket: Bucket,
    access: str,
    folder: Path,
    rotate: bool,
) -> Step:
    """A token that may only `access` this bucket; known by its description."""
    authorizations = client.authorizations_api()
    description = f"esus_pipeline: {access} {admin.bucket}"
    file, setting = folder / TOKEN_FILES[access], SETTING_OF[access]
    stands = [each for each in authorizations.find_authorizations(org_id=org_id) if each.description == description]
    if stands and not rotate:
        where = (
            f"in {file}" if file.exists() else f"where you put it; if it is lost, `esus influx init --rotate` ({file})"
        )
        return Step(f"{access} token", f"is there, {where}; {setting} takes it")
    resource = PermissionResource(org_id=org_id, type="buckets", id=bucket.id)
    wanted = Authorization(
        org_id=org_id, permissions=[Permission(action=access, resource=resource)], description=description
    )
    with _secret_file(file) as out:
        out.write(f"{authorizations.create_authorization(authorization=wanted).token}\n")
    for old in stands:
        authorizations.delete_authorization(old)
    return Step(f"{access} token", f"{'replaced' if stands else 'made'}, in {file}; put it into {setting}")


@contextmanager
def _secret_file(file: Path) -> Iterator[IO[str]]:
    """A file of mode 0600 from its first byte on; opened before the token is made, so that none is lost."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        yield out
    new.replace(file)


def _kept(seconds: int) -> str:
    return f"{seconds / 86_400:g} days" if seconds else "for ever"


def _explained(admin: InfluxConfig, error: ApiException) -> str:
    todo = {
        401: "it does not know INFLUXDB_ADMIN_TOKEN",
        403: "INFLUXDB_ADMIN_TOKEN may not administer buckets, mappings and tokens of the organisation",
        404: "it has no such thing; is INFLUXDB_ORG right, and is it InfluxDB 2.x?",
        501: "it has no set-up API; is it InfluxDB 2.x?",
    }.get(error.status, "try again, or look at InfluxDB's log")
    return f"InfluxDB at {admin.host} answered {error.status} ({admin.redact(str(error.message))[:200]}): {todo}"

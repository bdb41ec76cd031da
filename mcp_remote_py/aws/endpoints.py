"""Which service a host of AWS's is, by the name that is signed, and in which region it is.

Tables of names: the suffixes of AWS's partitions, the labels whose signing name is another one, the
places where a label stands elsewhere. Sources: AWS General Reference, "Service endpoints"; the
endpoint rules and `partitions.json` of botocore, through which `tests/aws/test_endpoints.py` goes
host by host; the service guides named in the rows. Pure. Must not know what is signed with it.
"""

from __future__ import annotations

from mcp_remote_py.aws.sigv4 import Scope
from mcp_remote_py.patterns import lazy_pattern

REGION = lazy_pattern(r"(?:us|eu|ap|sa|ca|me|af|il|mx|cn|eusc)(?:-[a-z]+)+-[0-9]{1,2}")
"""A region of any partition; each of botocore's partitions has a narrower pattern."""

_SUFFIXES = {
    # The partitions, and their hosts for IPv4 and IPv6 (botocore, `partitions.json`).
    "amazonaws.com": "us-east-1",
    "api.aws": "us-east-1",
    "amazonaws.com.cn": "cn-northwest-1",
    "api.amazonwebservices.com.cn": "cn-northwest-1",
    "amazonaws.eu": "eusc-de-east-1",
    "api.amazonwebservices.eu": "eusc-de-east-1",
    "c2s.ic.gov": "us-iso-east-1",
    "api.aws.ic.gov": "us-iso-east-1",
    "sc2s.sgov.gov": "us-isob-east-1",
    "api.aws.scloud": "us-isob-east-1",
    "cloud.adc-e.uk": "eu-isoe-west-1",
    "api.cloud-aws.adc-e.uk": "eu-isoe-west-1",
    "csp.hci.ic.gov": "us-isof-south-1",
    "api.aws.hci.ic.gov": "us-isof-south-1",
}
"""Suffixes of the hosts of services, with the region in which the global ones are signed."""

_OWN_SUFFIXES = ("on.aws", "on.amazonwebservices.com.cn", "on.amazonwebservices.eu")
"""Suffixes of what customers run. The second and third are those of China and of Europe's sovereign
cloud, where ECR and Amazon MQ have them; Lambda's guide names only the first."""

_OWN_NAMES = {
    "lambda-url": "lambda",  # Lambda developer guide, "Creating and managing function URLs"
    "vpc-lattice-svcs": "vpc-lattice-svcs",  # VPC Lattice user guide, "SIGv4 authenticated ..."
    "aos": "es",  # OpenSearch Service developer guide, domains with IPv4 and IPv6
}
"""What of it is signed for. Behind other names, such as `transfer-webapp`, IAM is not asked."""

_GOV_REGION = "us-gov-west-1"
_GLOBAL_LABELS = {"global": "", "us-gov": _GOV_REGION}
"""Labels in the place of the region of a service that is in none, such as `route53.us-gov`."""

_GLOBAL_REGIONS = {("iam", "amazonaws.com.cn"): "cn-north-1"}
_GLOBAL_REGIONS["iam", "api.amazonwebservices.com.cn"] = "cn-north-1"
"""Global services that are signed elsewhere than the others of their partition."""

_AFTER_REGION = {
    "es": "es",  # OpenSearch Service developer guide: DOMAIN.REGION.es.amazonaws.com
    "aoss": "aoss",  # the same, Serverless: COLLECTION.REGION.aoss.amazonaws.com
}
"""Services whose label stands behind the region. Other labels there (`elb`, `compute`, `eks`) are
of machines, of which only the region is known."""

_NO_SERVICE = lazy_pattern(r"vpce-svc-[0-9a-f]+|elb|compute")
"""Labels in the place of a service that are a customer's own, such as PrivateLink's services."""

_SIGNING_NAMES = {
    "account-access-runtime": "account-access",
    "agent-registry-control": "agent-registry",
    "agreement-marketplace": "aws-marketplace",
    "aos": "es",
    "api.iot-tunneling": "IoTSecuredTunneling",
    "api.tunneling.iot": "IoTSecuredTunneling",
    "appconfigdata": "appconfig",
    "appstream2": "appstream",
    "appsync-api": "appsync",  # AppSync developer guide: ID.appsync-api.REGION.amazonaws.com
    "appsync-realtime-api": "appsync",
    "arc-recovery-control-config": "route53-recovery-control-config",
    "bedrock-agent": "bedrock",
    "bedrock-agent-runtime": "bedrock",
    "bedrock-agentcore-control": "bedrock-agentcore",
    "bedrock-data-automation": "bedrock",
    "bedrock-data-automation-runtime": "bedrock",
    "bedrock-runtime": "bedrock",
    "cassandra-streams": "cassandra",
    "catalog-marketplace": "aws-marketplace",
    "cloudhsmv2": "cloudhsm",
    "cloudsearchdomain": "cloudsearch",
    "cloudwatch-omni": "cloudwatch",
    "contact-lens": "connect",
    "data-signer": "signer",
    "data-ats.iot": "iotdata",
    "data.ats.iot": "iotdata",
    "data.iot": "iotdata",
    "data.jobs.iot": "iot-jobs-data",
    "deployment-marketplace": "aws-marketplace",
    "discovery-marketplace": "aws-marketplace",
    "efs": "elasticfilesystem",
    "email": "ses",
    "entitlement-marketplace": "aws-marketplace",
    "eventsv2": "events",
    "forecastquery": "forecast",
    "iam-toolbox": "iam",
    "identity-chime": "chime",
    "ivsrealtime": "ivs",
    "kafka-api": "kafka",
    "mail-manager": "ses",
    "maps.geo": "geo-maps",
    "marketplace": "aws-marketplace",
    "media-pipelines-chime": "chime",
    "meetings-chime": "chime",
    "memory-db": "memorydb",
    "messaging-chime": "chime",
    "metering-marketplace": "aws-marketplace",
    "migrationhub-config": "mgh",
    "models-v2-lex": "lex",
    "oidc": "sso-oauth",
    "participant.connect": "execute-api",
    "partnercentral-prm": "partnercentral",
    "personalize-events": "personalize",
    "personalize-runtime": "personalize",
    "pinpoint": "mobiletargeting",
    "places.geo": "geo-places",
    "portal.sso": "awsssoportal",
    "reporting-marketplace": "aws-marketplace",
    "routes.geo": "geo-routes",
    "runtime-v2-lex": "lex",
    "s3-accesspoint": "s3",
    "s3-control": "s3",
    "servicecatalog-appregistry": "servicecatalog",
    "sms-voice.pinpoint": "sms-voice",
    "streams-dynamodb": "dynamodb",
    "timestream-ingest": "timestream",
    "timestream-query": "timestream",
    "voice-chime": "chime",
}
"""Signing names that are not the label before the region, by that label and as many before it as
tell; botocore's endpoint rules and service descriptions, where no other source is named."""

_MAX_TELLING = 3
"""Labels in a key of that table."""

_PREFIXES = (
    *("analytics-", "control-storage-", "data-", "query-", "runtime-", "storage-"),
    *("stream-", "sync-", "tags-", "workflows-"),
)
"""Before the label of the service, for some of its operations (botocore: `hostPrefix`)."""

_PREFIXED = {
    "lakeformation",
    "logs",
    "medical-imaging",
    "omics",
    "servicediscovery",
    "signer",
    "states",
}
"""Services whose label has such a prefix."""

_DECORATIONS = {"dualstack", "fips", "vpce"}
"""Labels that tell how a service is reached, not which one it is."""


def read_endpoint(host: str) -> Scope | None:
    """What is signed for at `host`, in lower case; service and region are "" where it does not say.

    None where it is not one that AWS gives to services: a name of one's own, CloudFront, an
    address, this machine.
    """
    labels = host.removesuffix(".").split(".")
    for at in range(1, len(labels)):
        suffix = ".".join(labels[at:])
        if suffix in _OWN_SUFFIXES:
            return _read_own(labels[:at])
        if suffix in _SUFFIXES:
            return _read_service(labels[:at], suffix)
    return None


def is_shared(host: str) -> bool:
    """Whether `host`, in lower case, is a service's own in a region: paths tell whose what is.

    So it is for the runtimes of AgentCore (`bedrock-agentcore.REGION.amazonaws.com`), and not for
    what has a name of its own before the service's.
    """
    labels = [one for one in host.removesuffix(".").split(".") if one not in _DECORATIONS]
    return (
        len(labels) > 2 and bool(REGION.fullmatch(labels[1])) and ".".join(labels[2:]) in _SUFFIXES
    )


def _read_own(labels: list[str]) -> Scope | None:
    """ID.lambda-url.REGION."""
    if len(labels) < 3 or not REGION.fullmatch(labels[-1]) or labels[-2] not in _OWN_NAMES:
        return None
    return Scope(_OWN_NAMES[labels[-2]], labels[-1])


def _read_service(labels: list[str], suffix: str) -> Scope | None:
    if labels[-1] == "vpce":  # PrivateLink guide: ENDPOINT.SERVICE.REGION.vpce.amazonaws.com
        labels = labels[:-1]
    if len(labels) >= 2 and labels[-1] == "us-gov" and REGION.fullmatch(labels[-2]):
        labels = labels[:-1]
    if not labels:
        return None
    if REGION.fullmatch(labels[-1]):
        return Scope(_name_service(labels[:-1]), labels[-1])
    if len(labels) >= 2 and REGION.fullmatch(labels[-2]):
        return Scope(_AFTER_REGION.get(labels[-1], ""), labels[-2])
    region = _SUFFIXES[suffix]
    if labels[-1] in _GLOBAL_LABELS:
        region = _GLOBAL_LABELS[labels[-1]] or region
        labels = labels[:-1]
    if len(labels) != 1:
        # `BUCKET.s3.amazonaws.com`, in any region; else a machine, such as `x.compute-1`.
        return Scope("s3", "") if labels[-1:] == ["s3"] else None
    service = _name_service(labels)
    return Scope(service, _GLOBAL_REGIONS.get((service, suffix), region))


def _name_service(labels: list[str]) -> str:
    """The signing name of the service that `labels`, those before the region, name; "" for none."""
    named = [_undecorate(label) for label in labels if label not in _DECORATIONS]
    if not named or _NO_SERVICE.fullmatch(named[-1]):
        return ""
    for count in range(min(_MAX_TELLING, len(named)), 0, -1):
        name = _SIGNING_NAMES.get(".".join(named[-count:]))
        if name is not None:
            return name
    label = named[-1]
    for prefix in _PREFIXES:
        if label.startswith(prefix) and label.removeprefix(prefix) in _PREFIXED:
            return label.removeprefix(prefix)
    return label


def _undecorate(label: str) -> str:
    return label.removesuffix("-fips").removeprefix("fips-")

"""Hosts of AWS's: those that people have, and every one that botocore would call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import botocore.endpoint_provider as _provider  # pyright: ignore[reportMissingTypeStubs]
import botocore.exceptions as _exceptions  # pyright: ignore[reportMissingTypeStubs]
import botocore.loaders as _loaders  # pyright: ignore[reportMissingTypeStubs]
import pytest

from mcp_remote_py.aws.endpoints import REGION, is_shared, read_endpoint
from mcp_remote_py.aws.sigv4 import Scope
from tests.thorough import some

provider: Any = _provider
exceptions: Any = _exceptions
loaders: Any = _loaders
loader = loaders.create_loader()

PARTITIONS: Any = loader.load_data("partitions")


@pytest.mark.parametrize(
    ("host", "service", "region"),
    [
        ("abc123.lambda-url.ap-northeast-1.on.aws", "lambda", "ap-northeast-1"),
        ("abc123.lambda-url.us-gov-west-1.on.aws", "lambda", "us-gov-west-1"),
        ("abc.lambda-url.cn-north-1.on.amazonwebservices.com.cn", "lambda", "cn-north-1"),
        ("a1b2c3.execute-api.us-east-1.amazonaws.com", "execute-api", "us-east-1"),
        ("a1b2c3.execute-api.us-east-1.amazonaws.com.", "execute-api", "us-east-1"),
        ("a1b2c3-vpce-01.execute-api.us-east-1.amazonaws.com", "execute-api", "us-east-1"),
        ("a1b2c3.execute-api.cn-north-1.amazonaws.com.cn", "execute-api", "cn-north-1"),
        ("a1b2c3.execute-api.eu-west-1.api.aws", "execute-api", "eu-west-1"),
        ("a1.execute-api.cn-north-1.api.amazonwebservices.com.cn", "execute-api", "cn-north-1"),
        ("vpce-01-ab.execute-api.us-east-1.vpce.amazonaws.com", "execute-api", "us-east-1"),
        ("vpce-01-ab-us-east-1a.lambda.us-east-1.vpce.amazonaws.com", "lambda", "us-east-1"),
        ("vpce-01-ab.bedrock-runtime.us-east-1.vpce.amazonaws.com", "bedrock", "us-east-1"),
        ("vpce-01.lambda.cn-north-1.vpce.amazonaws.com.cn", "lambda", "cn-north-1"),
        ("bedrock-agentcore.us-west-2.amazonaws.com", "bedrock-agentcore", "us-west-2"),
        (
            "desk-ab12.gateway.bedrock-agentcore.us-west-2.amazonaws.com",
            "bedrock-agentcore",
            "us-west-2",
        ),
        (
            "vpce-01.gateway.bedrock-agentcore.eu-west-1.vpce.amazonaws.com",
            "bedrock-agentcore",
            "eu-west-1",
        ),
        ("bedrock-agentcore-control.us-west-2.amazonaws.com", "bedrock-agentcore", "us-west-2"),
        ("bedrock-runtime-fips.us-west-2.amazonaws.com", "bedrock", "us-west-2"),
        ("aws-mcp.us-east-1.api.aws", "aws-mcp", "us-east-1"),
        ("eks-mcp.eu-central-1.api.aws", "eks-mcp", "eu-central-1"),
        ("knowledge-mcp.global.api.aws", "knowledge-mcp", "us-east-1"),
        ("desk.agents.eu-central-1.api.aws", "agents", "eu-central-1"),
        ("desk.agents-fips.us-gov-east-1.api.aws", "agents", "us-gov-east-1"),
        ("search-desk-ab1.us-east-1.es.amazonaws.com", "es", "us-east-1"),
        ("search-desk-ab1.aos.us-east-1.on.aws", "es", "us-east-1"),
        ("vpc-desk-1.us-east-1.es.amazonaws.com", "es", "us-east-1"),
        ("0ab1.us-east-1.aoss.amazonaws.com", "aoss", "us-east-1"),
        ("0ab1.appsync-api.us-east-1.amazonaws.com", "appsync", "us-east-1"),
        ("runtime.sagemaker.us-east-1.amazonaws.com", "sagemaker", "us-east-1"),
        ("runtime-fips.sagemaker.us-east-1.amazonaws.com", "sagemaker", "us-east-1"),
        ("s3.dualstack.us-east-1.amazonaws.com", "s3", "us-east-1"),
        ("desk.s3.us-east-1.amazonaws.com", "s3", "us-east-1"),
        ("desk.s3.amazonaws.com", "s3", ""),
        ("sts.amazonaws.com", "sts", "us-east-1"),
        ("sts.amazonaws.com.cn", "sts", "cn-northwest-1"),
        ("iam.global.api.amazonwebservices.com.cn", "iam", "cn-north-1"),
        ("iam-fips.amazonaws.com.cn", "iam", "cn-north-1"),
        ("route53.us-gov.amazonaws.com", "route53", "us-gov-west-1"),
        ("routes.geo.us-gov-west-1.us-gov.amazonaws.com", "geo-routes", "us-gov-west-1"),
        ("participant.connect.us-east-1.amazonaws.com", "execute-api", "us-east-1"),
        ("data.jobs.iot.us-east-1.amazonaws.com", "iot-jobs-data", "us-east-1"),
        ("sync-states.us-east-1.amazonaws.com", "states", "us-east-1"),
        ("fips.transcribe.us-east-1.amazonaws.com", "transcribe", "us-east-1"),
        ("us-east-1.amazonaws.com", "", "us-east-1"),
        ("lambda.eusc-de-east-1.amazonaws.eu", "lambda", "eusc-de-east-1"),
        ("lambda.us-iso-east-1.c2s.ic.gov", "lambda", "us-iso-east-1"),
        ("desk-1.us-east-1.elb.amazonaws.com", "", "us-east-1"),
        ("vpce-01-ab.vpce-svc-0ab1.us-east-1.vpce.amazonaws.com", "", "us-east-1"),
        ("ec2-10-0-0-1.us-west-2.compute.amazonaws.com", "", "us-west-2"),
    ],
)
def test_a_host_that_people_have(host: str, service: str, region: str) -> None:
    assert read_endpoint(host) == Scope(service, region)


def test_lattice_does_not_take_a_signed_body() -> None:
    host = "desk-0ab.1b2.vpc-lattice-svcs.us-west-2.on.aws"
    found = read_endpoint(host)
    assert found is not None
    assert found == Scope("vpc-lattice-svcs", "us-west-2")
    assert not found.signs_payload


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "127.0.0.1", "::1", "10.0.0.8", "mcp.example.com", "example"),
        *("d111111abcdef8.cloudfront.net", "x.eu-west-1.awsapprunner.com", "aws", "on.aws"),
        *("amazonaws.com", "vpce.amazonaws.com", "api.aws", "a.on.aws", "us-east-1.on.aws"),
        "lambda-url.us-east-1.on.aws",
        "abc.lambda-url.us-east-1.on.aws.example.com",
        "abc.lambda-url.us-east-1.xon.aws",
        "lambda.us-east-1.amazonaws.com.evil.example",
        "lambda.us-east-1.notamazonaws.com",
        "abc.lambda-url.somewhere.on.aws",
        "desk.transfer-webapp.us-east-1.on.aws",
        "ec2-10-0-0-1.compute-1.amazonaws.com",
        "",
        ".",
        "..amazonaws.com",
    ],
)
def test_what_is_not_a_service_of_aws(host: str) -> None:
    assert read_endpoint(host) is None


@pytest.mark.parametrize(
    ("host", "shared"),
    [
        ("bedrock-agentcore.us-west-2.amazonaws.com", True),
        ("bedrock-agentcore.us-west-2.amazonaws.com.", True),
        ("bedrock-agentcore.cn-north-1.amazonaws.com.cn", True),
        ("aws-mcp.us-east-1.api.aws", True),
        ("lambda.dualstack.us-east-1.amazonaws.com", True),
        ("a1.gateway.bedrock-agentcore.us-west-2.amazonaws.com", False),
        ("a1.execute-api.us-east-1.amazonaws.com", False),
        ("abc.lambda-url.us-east-1.on.aws", False),
        ("search-desk.us-east-1.es.amazonaws.com", False),
        ("bedrock-agentcore.us-west-2.example.com", False),
        ("us-west-2.amazonaws.com", False),
        ("localhost", False),
    ],
)
def test_a_host_that_many_share(host: str, shared: bool) -> None:
    assert is_shared(host) is shared


def test_every_partition_is_known_with_all_its_regions() -> None:
    seen = 0
    for partition in PARTITIONS["partitions"]:
        outputs = partition["outputs"]
        assert set(outputs["implicitGlobalRegion"]) <= set("abcdefghijklmnopqrstuvwxyz-0123456789")
        for region in partition["regions"]:
            if region.endswith("-global"):
                continue
            assert re.match(partition["regionRegex"], region)
            assert REGION.fullmatch(region)
            for suffix in (outputs["dnsSuffix"], outputs["dualStackDnsSuffix"]):
                assert read_endpoint(f"lambda.{region}.{suffix}") == Scope("lambda", region)
                seen += 1
        if partition["id"] != "aws-us-gov":  # which has the suffixes of `aws`
            there = read_endpoint(f"desk.{outputs['dnsSuffix']}")
            assert there == Scope("desk", outputs["implicitGlobalRegion"])
    assert seen > 80


class Called(NamedTuple):
    """A host that botocore calls, and for what it signs then."""

    host: str
    service: str
    region: str


REGIONS = [
    *("us-east-1", "ap-southeast-5", "cn-north-1", "us-gov-west-1", "us-iso-east-1"),
    *("us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1"),
]

NOT_IN_A_REGION = {
    "budgets",
    "cloudfront",
    "iam",
    "partnercentral",
    "partnercentral-channel",
    "route53",
    "sustainability",
    "waf",
}
"""Services with a host for all regions, which botocore signs for the caller's, or that are read for
the public partition where GovCloud has the same host."""

BROWSERS = re.compile(r"\.signin\.|signin-fips\.amazonaws-us-gov")
"""Hosts of pages, which have names of their own."""

SHARED = {"geo": {"geo", "geo-maps", "geo-places", "geo-routes"}}
"""Services on whose hosts there are others, too; the newer ones are meant then."""


def called_hosts(service: str) -> Iterator[Called]:
    model: Any = loader.load_service_model(service, "service-2")
    metadata = model["metadata"]
    if metadata["signatureVersion"] not in ("v4", "s3", "s3v4"):
        return
    rules: Any = loader.load_service_model(service, "endpoint-rule-set-1")
    resolver = provider.EndpointProvider(rules, PARTITIONS)
    prefixes: set[str] = {
        operation.get("endpoint", {}).get("hostPrefix", "")
        for operation in model["operations"].values()
    }
    for region in REGIONS:
        for is_fips in (False, True):
            for is_dual in (False, True):
                given = {"Region": region, "UseFIPS": is_fips, "UseDualStack": is_dual}
                parameters = {
                    name: given.get(name, row.get("default"))
                    for name, row in rules["parameters"].items()
                    if name in given or "default" in row
                }
                try:
                    found = resolver.resolve_endpoint(**parameters)
                except exceptions.EndpointProviderError:
                    continue
                properties: Any = found.properties or {}
                schemes: list[dict[str, str]] = properties.get("authSchemes", [])
                scheme = schemes[0] if schemes else {}
                host = found.url.partition("://")[2].partition("/")[0]
                otherwise: str = metadata.get("signingName", metadata["endpointPrefix"])
                name = scheme.get("signingName", otherwise)
                for prefix in prefixes:
                    prefixed = re.sub(r"\{\w+\}", "x1", prefix) + host
                    yield Called(prefixed, name, scheme.get("signingRegion", region))


SERVICES: list[str] = loader.list_available_services("service-2")


@pytest.mark.parametrize("service", some(SERVICES, 15))
def test_every_host_of_a_service_is_read_as_botocore_signs(service: str) -> None:
    for called in called_hosts(service):
        read = read_endpoint(called.host)
        if BROWSERS.search(called.host):
            assert read is None, called
            continue
        assert read is not None, called
        assert read.service in SHARED.get(called.service, {called.service}), called
        is_without = ".global." in called.host or not REGION.search(called.host)
        if called.service not in NOT_IN_A_REGION or not is_without:
            assert read.region == called.region, called

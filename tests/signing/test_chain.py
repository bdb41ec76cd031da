"""AWS keys by botocore's whole chain, as a person has set it up: files, programs, services.

The process, the programs and the sockets are real; botocore is the real one and asks a fake AWS.
What is said in each case is `test_chain_words`'s. Must not know how the process is made.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mcp_remote_py.aws.keys import FoundKeys
from mcp_remote_py.errors import Refused
from tests.fakes import run
from tests.signing.desk import Desk
from tests.signing.fake_aws import ROLE, Answer, FakeAws, fake_aws

pytestmark = pytest.mark.timeout(60)

KEYS = """
[keys]
aws_access_key_id = AKIDFILE
aws_secret_access_key = canary-file-key
"""
TOKENED = KEYS + "aws_session_token = canary-file-token\n"
SSO = """
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = desk
region = eu-west-1
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://corp.example/start
"""


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    with fake_aws() as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def secrets_of(found: FoundKeys) -> tuple[str, str | None]:
    token = found.keys.session_token
    return found.keys.secret_access_key.reveal(), token.reveal() if token else None


def seconds_left(found: FoundKeys) -> float:
    assert found.keys.expires_at is not None
    return found.keys.expires_at - time.time()


def sso_token(desk: Desk, seconds: int, **members: str) -> Path:
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    name = hashlib.sha1(b"corp", usedforsecurity=False).hexdigest()
    token = {"accessToken": "canary-sso", "expiresAt": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return desk.write(f"sso/cache/{name}.json", json.dumps(token | members))


# Files --------------------------------------------------------------------------------------


def test_keys_of_a_file(desk: Desk) -> None:
    desk.write("credentials", TOKENED)
    desk.write("config", "[profile keys]\nregion = ap-northeast-1\n")
    found = desk.load("keys")
    assert found.keys.access_key_id == "AKIDFILE"
    assert secrets_of(found) == ("canary-file-key", "canary-file-token")
    assert (found.region, found.source) == ("ap-northeast-1", "shared-credentials-file")
    assert found.keys.expires_at is None


def test_keys_that_have_changed_places_are_neither_used_nor_shown(desk: Desk) -> None:
    secret = "canaryKeyOfAFileWithoutAnySlash000000000"
    desk.write(
        "credentials",
        f"[keys]\naws_access_key_id = {secret}\naws_secret_access_key = AKIAIOSFODNN7EXAMPLE\n",
    )
    said = desk.refusal("keys")
    assert said.endswith("look whether the two have changed places.")
    assert secret not in said


def test_the_profile_may_be_named_by_the_environment(desk: Desk) -> None:
    desk.environment["AWS_PROFILE"] = "keys"
    desk.environment["AWS_SHARED_CREDENTIALS_FILE"] = str(desk.home / "elsewhere")
    (desk.home / "elsewhere").write_text(KEYS)
    found = desk.load()
    assert found.keys.access_key_id == "AKIDFILE"
    assert found.region == ""


def test_each_search_sees_the_files_as_they_are(desk: Desk) -> None:
    desk.write("credentials", KEYS)
    chain = desk.chain("keys")
    before = chain.stamps()
    assert run(chain.load_keys()).keys.access_key_id == "AKIDFILE"
    assert chain.stamps() == before
    desk.write("credentials", KEYS.replace("AKIDFILE", "AKIDSECOND"))
    assert chain.stamps() != before
    assert run(chain.load_keys()).keys.access_key_id == "AKIDSECOND"


def test_what_is_no_region_is_not_signed_for(desk: Desk) -> None:
    desk.write("credentials", KEYS)
    desk.write("config", "[profile keys]\nregion = us-east-1 # Ohio\n")
    assert "The region of profile keys" in desk.refusal("keys")
    assert desk.load("keys", "eu-west-1").region == "", "it is given elsewhere"
    desk.write("config", "[profile keys]\nregion = US-East-2\n")
    assert desk.load("keys").region == "us-east-2"


def test_a_profile_that_is_not_there(desk: Desk) -> None:
    desk.write("credentials", KEYS)
    assert "Did you mean keys?" in desk.refusal("kezs")
    assert "Profiles there: keys." in desk.refusal("production")


def test_a_section_that_is_not_called_a_profile(desk: Desk) -> None:
    desk.write("config", "[work]\nregion = eu-west-1\n")
    assert "The section [work] must be called [profile work] in the config" in desk.refusal("work")


def test_an_empty_name_is_none(desk: Desk) -> None:
    desk.environment |= {"AWS_PROFILE": "", "AWS_DEFAULT_PROFILE": ""}
    desk.write("credentials", KEYS.replace("keys", "default"))
    assert desk.load().keys.access_key_id == "AKIDFILE"


def test_nothing_anywhere(desk: Desk) -> None:
    desk.write("credentials", KEYS)
    said = desk.refusal()
    assert said.startswith("There are no AWS keys: none in AWS_ACCESS_KEY_ID, none for profile")
    assert f"{desk.folder}/config (not there) and {desk.folder}/credentials," in said
    assert "Profiles there: keys. Hosts start us with few variables" in said


def test_a_profile_without_keys(desk: Desk) -> None:
    desk.write("credentials", KEYS)
    desk.write("config", "[profile work]\nregion = eu-west-1\n")
    said = desk.refusal("work")
    assert said.startswith("The AWS profile work has no keys and does not say where to get any")
    assert said.endswith("Profiles there: keys.")


@pytest.mark.promise("S2")
def test_a_line_that_breaks_a_file_is_named_and_not_shown(desk: Desk) -> None:
    desk.write("credentials", KEYS + "canary-file-key\n")
    said = desk.refusal("keys")
    assert f"{desk.folder}/credentials cannot be read: line 5" in said
    assert "canary" not in said


# Sign-ins -----------------------------------------------------------------------------------


def test_keys_of_a_sign_in_at_sso(desk: Desk, aws: FakeAws) -> None:
    desk.environment |= aws.environment
    desk.write("config", SSO)
    chain = desk.chain("sso")
    with pytest.raises(Refused, match="Nobody is signed in to AWS's IAM Identity Center"):
        run(chain.load_keys())
    before = chain.stamps()
    sso_token(desk, 3600)  # another window: aws sso login
    assert chain.stamps() != before
    found = run(chain.load_keys())
    assert found.keys.access_key_id == "AKIDSSO"
    assert secrets_of(found) == ("canary-sso-key", "canary-sso-token")
    assert (found.region, found.source) == ("eu-west-1", "sso")
    assert 3590 < seconds_left(found) <= 3600
    assert [(one.service, one.words["token"]) for one in aws.asked] == [("sso", "canary-sso")]


def test_a_token_that_is_written_in_its_place_is_seen(desk: Desk, aws: FakeAws) -> None:
    desk.environment |= aws.environment
    desk.write("config", SSO)
    path = sso_token(desk, -10)
    chain = desk.chain("sso")
    with pytest.raises(Refused, match="has expired"):
        run(chain.load_keys())
    folder = os.stat(path.parent).st_mtime_ns
    before = chain.stamps()
    sso_token(desk, 3600)
    assert os.stat(path.parent).st_mtime_ns == folder
    assert chain.stamps() != before


def test_a_token_at_its_end_is_renewed_and_written_down(desk: Desk, aws: FakeAws) -> None:
    desk.environment |= aws.environment
    desk.write("config", SSO)
    path = sso_token(
        desk,
        10,
        clientId="c",
        clientSecret="canary-client",
        refreshToken="canary-1",
        registrationExpiresAt="2099-01-01T00:00:00Z",
    )
    assert desk.load("sso").keys.access_key_id == "AKIDSSO"
    assert aws.services == ["sso-oidc", "sso"]
    assert aws.asked[1].words["token"] == "canary-sso-new"
    assert json.loads(path.read_text())["refreshToken"] == "canary-2"


def test_a_token_that_another_process_has_renewed_is_waited_for(desk: Desk, aws: FakeAws) -> None:
    """AWS has given it there, and it is not written down yet."""

    def refuse(method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        if target != "/token":
            return answer(method, target, headers, body)
        threading.Timer(0.1, sso_token, (desk, 3600)).start()
        return Answer(400, b'{"error":"invalid_grant"}')

    answer, aws.answer = aws.answer, refuse  # type: ignore[method-assign]
    desk.environment |= aws.environment
    desk.write("config", SSO)
    registration = {"clientId": "c", "clientSecret": "canary-client"}
    end = "2099-01-01T00:00:00Z"
    sso_token(desk, -10, refreshToken="canary-1", registrationExpiresAt=end, **registration)
    assert desk.load("sso").keys.access_key_id == "AKIDSSO"
    assert aws.services == ["sso"]


def test_sso_that_does_not_give_the_role(desk: Desk, aws: FakeAws) -> None:
    desk.environment |= aws.environment
    desk.write("config", SSO)
    sso_token(desk, 3600)
    aws.refusal = (401, "UnauthorizedException", "Session token not found or invalid")
    assert "has expired. Run aws sso login --profile sso" in desk.refusal("sso")
    aws.refusal = (403, "ForbiddenException", "No access")
    assert "gives no keys for the role of profile sso. It says: No access." in desk.refusal("sso")


def test_login_without_its_package(desk: Desk) -> None:
    desk.write("config", "[default]\nlogin_session = arn:aws:iam::123456789012:user/me\n")
    assert desk.refusal().startswith("Profile default is for aws login, which ")


# Roles --------------------------------------------------------------------------------------

ROLES = f"""
[profile role]
role_arn = {ROLE}
source_profile = keys
[profile code]
role_arn = {ROLE}
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/me
"""


def test_keys_of_a_role(desk: Desk, aws: FakeAws) -> None:
    desk.environment |= aws.environment
    desk.write("credentials", KEYS)
    desk.write("config", ROLES)
    found = desk.load("role")
    assert found.keys.access_key_id == "AKIDROLE"
    assert secrets_of(found) == ("canary-role-key", "canary-role-token")
    assert found.source == "assume-role"
    assert 3590 < seconds_left(found) <= 3600
    (asked,) = aws.asked
    assert asked.words["RoleArn"] == ROLE
    assert asked.words["RoleSessionName"] == "mcp-remote-py"
    assert "Credential=AKIDFILE/" in asked.words["signed"]
    # Nobody named a region: where STS began. One that is known comes first.
    assert "/us-east-1/sts/" in asked.words["signed"]
    desk.load("role", "ap-northeast-1")
    assert "/ap-northeast-1/sts/" in aws.asked[1].words["signed"]


def test_a_role_that_is_refused(desk: Desk, aws: FakeAws) -> None:
    desk.environment |= aws.environment
    desk.write("credentials", KEYS)
    desk.write("config", ROLES)
    aws.refusal = (403, "AccessDenied", "User: me is not authorized to perform: sts:AssumeRole")
    assert "AccessDenied. STS says: User: me is not authorized" in desk.refusal("role")
    aws.refusal = (403, "InvalidClientTokenId", "The security token is invalid.")
    assert "AWS refuses the keys that the role of profile role is asked with" in desk.refusal(
        "role"
    )


def test_a_code_is_never_asked_for_and_the_session_of_aws_s_command_is_used(
    desk: Desk, aws: FakeAws
) -> None:
    desk.environment |= aws.environment
    desk.write("credentials", KEYS)
    desk.write("config", ROLES)
    chain = desk.chain("code")
    with pytest.raises(Refused, match="needs an MFA code"):
        run(chain.load_keys())
    assert aws.asked == []
    before = chain.stamps()
    # As AWS's command names its file: the request, without a session name that it has made up.
    words = {"RoleArn": ROLE, "SerialNumber": "arn:aws:iam::123456789012:mfa/me"}
    text = json.dumps(words, sort_keys=True).encode()
    name = hashlib.sha1(text, usedforsecurity=False).hexdigest()
    keys = {
        "AccessKeyId": "AKIDCLI",
        "SecretAccessKey": "canary-cli-key",
        "SessionToken": "canary-cli-token",
        "Expiration": aws.expiry,
    }
    path = desk.write(f"cli/cache/{name}.json", json.dumps({"Credentials": keys, "More": [1]}))
    assert chain.stamps() != before
    found = run(chain.load_keys())
    assert found.keys.access_key_id == "AKIDCLI"
    assert secrets_of(found) == ("canary-cli-key", "canary-cli-token")
    assert 3590 < seconds_left(found) <= 3600
    path.write_text("{}")
    with pytest.raises(Refused, match="needs an MFA code"):
        run(chain.load_keys())
    assert [one.name for one in (desk.folder / "cli" / "cache").iterdir()] == [path.name]


def test_a_web_identity(desk: Desk, aws: FakeAws) -> None:
    token = desk.home / "token"
    desk.environment |= aws.environment
    desk.environment |= {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token)}
    chain = desk.chain()
    with pytest.raises(Refused, match=f"The file {token} cannot be read: No such file"):
        run(chain.load_keys())
    before = chain.stamps()
    token.write_text("canary-web-token")
    assert chain.stamps() != before
    assert run(chain.load_keys()).source == "assume-role-with-web-identity"
    (asked,) = aws.asked
    assert asked.words["WebIdentityToken"] == "canary-web-token"
    assert asked.words["RoleSessionName"] == "mcp-remote-py"


# Programs -----------------------------------------------------------------------------------


def test_keys_of_a_program_which_runs_once(desk: Desk, aws: FakeAws) -> None:
    aws.seconds = 300  # botocore by itself would start it again, for less than ten minutes
    program = desk.print_keys(SessionToken="canary-token", Expiration=aws.expiry)
    desk.write("config", f"[profile program]\ncredential_process = {program} --account desk\n")
    found = desk.load("program")
    assert found.keys.access_key_id == "AKIDPROGRAM"
    assert secrets_of(found) == ("canary-program", "canary-token")
    assert found.source == "custom-process"
    assert 290 < seconds_left(found) <= 300
    assert desk.starts == 1


def test_a_program_has_nothing_to_read_and_nobody_to_ask(desk: Desk) -> None:
    printing = desk.print_keys()
    asking = desk.home / "asking"
    asking.write_text(
        f"readlink /proc/$$/fd/0 > {desk.home}/stdin\n"
        "read line && exit 3\n"
        "(: < /dev/tty) 2> /dev/null && exit 4\n"
        f"exec {printing}\n"
    )
    desk.write("config", f"[default]\ncredential_process = sh {asking}\n")
    assert desk.load().keys.access_key_id == "AKIDPROGRAM"
    assert (desk.home / "stdin").read_text().strip() == os.devnull


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("echo canary-not-json", "does not print the JSON of keys (not JSON)"),
        ("printf '\\377\\376'", "does not print the JSON of keys (not UTF-8)"),
        ("echo '[]'", "does not print the JSON of keys (not such JSON)"),
        ("echo '{}'", "does not print the JSON of keys (no Version)"),
        ("echo '{\"Version\":2}'", "does not print the JSON of keys (Version 2)"),
        ("echo '{\"Version\":1}'", "does not print the JSON of keys (no AccessKeyId)"),
        (
            'echo \'{"Version":1,"AccessKeyId":"A","SecretAccessKey":"canary","Expiration":"x"}\'',
            "does not print the JSON of keys (Expiration is not a time)",
        ),
        (
            'echo \'{"Version":1,"AccessKeyId":"A","SecretAccessKey":"canary",'
            '"Expiration":"2020-01-01T00:00:00Z"}\'',
            "The AWS keys of profile default have expired already when they come (custom-process)",
        ),
        (
            """echo '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"canary "}'""",
            "cannot be AWS keys (custom-process): the secret access key contains a character that"
            " none has.",
        ),
        (
            """echo '{"Version":1,"AccessKeyId":5,"SecretAccessKey":["canary"]}'""",
            "cannot be AWS keys (custom-process): the access key id is not a text.",
        ),
        (
            "echo 'cannot open wJalrXUtnFEMI/K7MDENG/bPxRfiCYcanary of /home/me/vault' >&2; exit 1",
            "failed. It says: cannot open **** of /home/me/vault. Run it by hand",
        ),
    ],
)
def test_a_program_that_does_not_give_keys(desk: Desk, printed: str, said: str) -> None:
    desk.write("config", f"[default]\ncredential_process = {desk.program(printed)}\n")
    sentence = desk.refusal()
    assert said in sentence
    assert "canary" not in sentence


def test_what_another_process_has_renewed_meanwhile_is_taken(desk: Desk) -> None:
    """Ten entries of a host start at once, and AWS takes the token of a sign-in from one only."""
    keys = desk.write("keys.json", '{"Version":1,"AccessKeyId":"AKIDNEW","SecretAccessKey":"k-1"}')
    config = desk.folder / "config"
    late = desk.program(
        f"echo x >> {desk.home}/count; grep -q renewed {config} && exec cat {keys};"
        f" echo '# renewed' >> {config}; exit 1"
    )
    desk.write("config", f"[default]\ncredential_process = {late}\n")
    assert desk.load().keys.access_key_id == "AKIDNEW"
    assert desk.starts == 2
    keys.unlink()
    old = time.time() - 60
    os.utime(config, (old, old))
    assert "failed" in desk.refusal()
    assert desk.starts == 3, "nothing has been written"


def test_a_program_that_does_not_stop_printing(desk: Desk) -> None:
    desk.write("config", "[default]\ncredential_process = cat /dev/zero\n")
    assert "does not print the JSON of keys (it does not stop printing)" in desk.refusal()


def test_a_program_that_is_not_there(desk: Desk) -> None:
    desk.write("config", "[default]\ncredential_process = aws-vaultx exec desk\n")
    assert "cannot be started: aws-vaultx: No such file or directory." in desk.refusal()


# Services -----------------------------------------------------------------------------------


def test_keys_of_a_container(desk: Desk, aws: FakeAws) -> None:
    desk.environment |= {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{aws.url}/keys",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "canary-pass",
    }
    found = desk.load()
    assert found.keys.access_key_id == "AKIDCONTAINER"
    assert found.source == "container-role"
    assert 3590 < seconds_left(found) <= 3600
    assert aws.asked[0].words == {"authorization": "canary-pass"}


def test_a_machine_that_is_not_of_aws(desk: Desk) -> None:
    source = "credential_source = Ec2InstanceMetadata"
    desk.write("config", f"[profile machine]\nrole_arn = {ROLE}\n{source}\n")
    assert "takes its keys from (Ec2InstanceMetadata) does not give any" in desk.refusal("machine")


def test_a_service_that_cannot_be_reached(desk: Desk) -> None:
    desk.write("credentials", KEYS)
    desk.write("config", ROLES)
    desk.environment["AWS_ENDPOINT_URL_STS"] = "http://127.0.0.1:1"
    with pytest.raises(Refused) as caught:
        desk.load("role")
    assert "127.0.0.1:1 cannot be reached for the AWS keys of profile role." in str(caught.value)
    assert "botocore says: Connection refused." in str(caught.value)
    assert caught.value.is_passing

"""``store init`` and ``store check`` on version 2, by the answers that a real 2.7 gives."""

import json
from datetime import UTC, datetime

import pytest

import wellbeing
from analytics.store.findings import AccountsError, Level
from analytics.store.points import Measurement, Point, epoch_ns
from sensors.errors import CannotEraseError, StoreError
from tests.analytics.store.scripted import findings, scripted, store_at, wrong

NOW = datetime.now(UTC)


def point(**fields):
    return Point(Measurement.SCORE, {"site": "north", "agent": "k1"}, fields, epoch_ns(NOW))


ORGS = (200, '{"orgs":[{"id":"o1","name":"floor"}]}')
NO_BUCKET = (404, '{"code":"not found","message":"bucket not found"}')
UNAUTHORIZED = (401, '{"code":"unauthorized","message":"unauthorized access"}')


def bucket(policy, seconds):
    rules = [{"type": "expire", "everySeconds": seconds}] if seconds else []
    known = {"id": f"b-{policy}", "orgID": "o1", "name": f"wellbeing/{policy}"}
    return known | {"retentionRules": rules}


def buckets(*found):
    return (200, json.dumps({"buckets": list(found)}))


def test_version_2_gets_buckets_and_their_names_for_influxql():
    answers = {
        "/api/v2/orgs": [ORGS],
        "GET /api/v2/buckets": [NO_BUCKET, buckets()],
        "POST /api/v2/buckets": [
            (201, json.dumps(bucket("raw", 1))),
            (201, json.dumps(bucket("derived", 1))),
        ],
        "GET /api/v2/dbrps": [(200, '{"content":[]}'), ...],
        "POST /api/v2/dbrps": [(201, "{}"), ...],
    }
    with scripted(answers=answers) as script, store_at(script) as store:
        assert len(store.prepare()) == 4
        made = [asked.json for asked in script.requests("/api/v2/buckets", "POST")]
        assert made == [
            {
                "orgID": "o1",
                "name": f"wellbeing/{policy}",
                "retentionRules": [{"type": "expire", "everySeconds": days * 86_400}],
            }
            for policy, days in (("raw", 30), ("derived", 90))
        ]
        mapped = [asked.json for asked in script.requests("/api/v2/dbrps", "POST")]
        assert [(m["bucketID"], m["database"], m["retention_policy"]) for m in mapped] == [
            ("b-raw", "wellbeing", "raw"),
            ("b-derived", "wellbeing", "derived"),
        ]
        assert {asked.authorization for asked in script.asked} == {"Token secret"}


def test_version_2_again_only_adjusts_what_differs():
    answers = {
        "/api/v2/orgs": [ORGS],
        "GET /api/v2/buckets": [
            buckets(bucket("raw", 7 * 86_400)),
            buckets(bucket("derived", 90 * 86_400)),
        ],
        "PATCH /api/v2/buckets/b-raw": [(200, "{}")],
        "GET /api/v2/dbrps": [
            (200, '{"content":[{"bucketID":"b-raw"}]}'),
            (200, '{"content":[{"bucketID":"b-derived"}]}'),
        ],
    }
    with scripted(answers=answers) as script, store_at(script) as store:
        assert store.prepare() == ["bucket wellbeing/raw is kept 30 d"]
        (patched,) = script.requests("/api/v2/buckets/b-raw")
        assert patched.json["retentionRules"] == [{"type": "expire", "everySeconds": 2_592_000}]


def test_version_2_with_too_few_rights_says_what_an_administrator_types():
    answers = {
        "/api/v2/orgs": [ORGS],
        "GET /api/v2/buckets": [buckets(), ...],
        "POST /api/v2/buckets": [UNAUTHORIZED],
    }
    with scripted(answers=answers) as script, store_at(script) as store:
        assert store.prepare() == [
            "run: influx bucket create --org 'floor' --name wellbeing/raw --retention 30d",
            "run: influx bucket create --org 'floor' --name wellbeing/derived --retention 90d",
        ]


def test_version_2_with_several_organizations_wants_one_named():
    two = '{"orgs":[{"id":"o1","name":"a"},{"id":"o2","name":"b"}]}'
    with (
        scripted(answers={"/api/v2/orgs": [(200, two), ...]}) as script,
        store_at(script, org="") as store,
        pytest.raises(
            StoreError, match=r"knows 2 organizations \(there are: a, b\); set \[store\] org"
        ),
    ):
        store.prepare()


def test_version_2_gets_tokens_for_these_buckets_alone():
    tokens = [(201, json.dumps({"id": f"t{n}", "token": f"made-{n}"})) for n in range(3)]
    both = [buckets(bucket("raw", 1)), buckets(bucket("derived", 1))]
    answers = {
        "/api/v2/orgs": [ORGS],
        "GET /api/v2/authorizations": [
            (200, '{"authorizations":[{"id":"old","description":"wellbeing dashboard"}]}')
        ],
        "GET /api/v2/buckets": both * 3,
        "POST /api/v2/authorizations": tokens,
        "DELETE /api/v2/authorizations/old": [(204, "")],
    }
    with scripted(answers=answers) as script, store_at(script) as store:
        made, told = store.accounts(renew=True)
        assert ([a.secret for a in made], told) == (["made-0", "made-1", "made-2"], [])
        asked = {
            a.json["description"]: a.json["permissions"]
            for a in script.requests("/api/v2/authorizations", "POST")
        }
        rights = {
            title: sorted((p["action"], p["resource"]["id"]) for p in permissions)
            for title, permissions in asked.items()
        }
        reading = [("read", "b-derived"), ("read", "b-raw")]
        assert rights == {
            "wellbeing writer": [*reading, ("write", "b-derived"), ("write", "b-raw")],
            "wellbeing dashboard": reading,
            "wellbeing researcher": reading,
        }
        assert len(script.requests("/api/v2/authorizations/old", "DELETE")) == 1


@pytest.mark.parametrize("as_json", [False, True])
def test_version_2_that_goes_away_half_way_costs_no_secret(capsys, monkeypatch, as_json):
    both = [buckets(bucket("raw", 1)), buckets(bucket("derived", 1))]
    answers = {
        "/api/v2/orgs": [ORGS, ...],
        "GET /api/v2/buckets": [
            buckets(bucket("raw", 30 * 86_400)),
            buckets(bucket("derived", 90 * 86_400)),
            *both * 2,
        ],
        "GET /api/v2/dbrps": [mapping("b-raw"), mapping("b-derived")],
        "POST /api/v2/authorizations": [
            (201, '{"id":"t","token":"made-1"}'),
            (503, "shutting down"),
        ],
    }
    with scripted(answers=answers) as script:
        monkeypatch.setenv("WELLBEING_STORE_KIND", "influxdb")
        monkeypatch.setenv("WELLBEING_STORE_URL", script.url)
        monkeypatch.setenv("WELLBEING_STORE_TOKEN", "secret")
        assert wellbeing.main(["store", "init", "--accounts", *["--json"] * as_json]) == 6
    said = capsys.readouterr()
    assert "made-1" in said.out
    assert "shutting down" in said.err
    if as_json:
        told = json.loads(said.out)
        assert (told["ok"], [a["role"] for a in told["accounts"]]) == (False, ["writer"])


def test_version_2_whose_old_token_stays_good_says_so():
    old = '{"authorizations":[{"id":"old","description":"wellbeing writer"}]}'
    answers = {
        "/api/v2/orgs": [ORGS],
        "GET /api/v2/authorizations": [(200, old)],
        "GET /api/v2/buckets": [buckets(bucket("raw", 1)), buckets(bucket("derived", 1))] * 3,
        "POST /api/v2/authorizations": [
            (201, f'{{"id":"t","token":"made-{n}"}}') for n in range(3)
        ],
        "DELETE /api/v2/authorizations/old": [(500, "no")],
    }
    with (
        scripted(answers=answers) as script,
        store_at(script) as store,
        pytest.raises(AccountsError, match="an old token is still good") as stopped,
    ):
        store.accounts(renew=True)
    assert [account.secret for account in stopped.value.made] == ["made-0", "made-1", "made-2"]


def test_version_2_that_nobody_has_set_up_says_so():
    """As a 2.7 answers before its set-up: no token is good, and none can be made."""
    answers = {"/api/v2/setup": [(200, '{"allowed": true}'), ...]}
    with scripted(answers=answers) as script, store_at(script) as store:
        found = wrong(store)
        assert set(found) == {"set up"}
        assert found["set up"].remedy.endswith("then: wellbeing store init --accounts")
        for call in (store.prepare, store.accounts):
            with pytest.raises(StoreError, match=r"nobody has set this server up; open its page"):
                call()


def mapping(bucket_id):
    known = {"id": "m1", "bucketID": bucket_id, "database": "wellbeing", "retention_policy": "raw"}
    return (200, json.dumps({"content": [known]}))


def test_version_2_whose_mapping_leads_elsewhere_is_found_and_left_alone():
    answers = {
        "/api/v2/setup": [(200, '{"allowed": false}'), ...],
        "/api/v2/orgs": [ORGS],
        "GET /api/v2/buckets": [buckets(bucket("raw", 2_592_000)), ...],
        "GET /api/v2/dbrps": [mapping("other"), ...],
        "GET /api/v2/buckets/other": [(200, "{}")],
    }
    with scripted(answers=answers) as script, store_at(script) as store:
        found = wrong(store)
        assert found["InfluxQL raw"].said == "finds another bucket as wellbeing.raw"
        with pytest.raises(StoreError, match=r"another bucket .*influx v1 dbrp delete --id m1"):
            store.prepare()
        assert not script.requests("/api/v2/dbrps/m1")


def test_version_2_whose_mapping_leads_to_a_bucket_that_is_gone_gets_another():
    answers = {
        "/api/v2/orgs": [ORGS],
        "GET /api/v2/buckets": [
            buckets(bucket("raw", 30 * 86_400)),
            buckets(bucket("derived", 90 * 86_400)),
        ],
        "GET /api/v2/dbrps": [mapping("gone"), mapping("b-derived")],
        "GET /api/v2/buckets/gone": [NO_BUCKET],
        "POST /api/v2/dbrps": [(201, "{}")],
    }
    with scripted(answers=answers) as script, store_at(script) as store:
        assert store.prepare() == ["InfluxQL finds bucket wellbeing/raw as wellbeing.raw"]
        assert [a.method for a in script.requests("/api/v2/dbrps/m1")] == ["DELETE"]


def test_version_2_with_a_password_says_what_that_cannot_do():
    with (
        scripted(answers={"/query": [(200, '{"results":[{}]}'), ...]}) as script,
        store_at(script, token="", username="u", password="p") as store,
    ):
        assert wrong(store) == {}
        assert findings(store)["rights"].level is Level.WARNING
        with pytest.raises(StoreError, match="makes no buckets for a user with a password"):
            store.prepare()
        with pytest.raises(CannotEraseError, match="of version 2, which erases only for a token"):
            store.erase("north", "k1")
        assert not script.requests("/api/v2/delete")


@pytest.mark.parametrize(
    ("status", "said"),
    [(404, 'organization name "floor" not found'), (400, "Please provide either orgID or org")],
)
def test_version_2_with_another_organization_says_what_to_set(status, said):
    answers = {"/api/v2/write": [(status, json.dumps({"message": said})), ...]}
    with (
        scripted(answers=answers) as script,
        store_at(script) as store,
        pytest.raises(StoreError, match=r"; set \[store\] org to the name of the organization"),
    ):
        store.write([point(seq=1)])


def test_version_2_is_checked_through_its_own_calls():
    answers = {
        "GET /api/v2/buckets": [
            buckets(bucket("raw", 30 * 86_400)),
            buckets(bucket("derived", 0)),
        ],
        "POST /api/v2/write": [
            (204, ""),
            (403, '{"code":"forbidden","message":"insufficient permissions for write"}'),
        ],
        "/query": [(200, '{"results":[{}]}'), ...],
    }
    with scripted(answers=answers) as script, store_at(script) as store:
        assert set(wrong(store)) == {"retention derived", "writing derived"}
        assert [len(asked.body) for asked in script.requests("/api/v2/write")] == [0, 0]

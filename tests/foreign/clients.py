"""zenpy and simple-salesforce on the sandbox: the calls that caseroom makes, and
the ordinary ones of anybody who uses these libraries.

  clients.py ZENDESK-URL SALESFORCE-URL, with the accounts as JSON on stdin.
"""

import json
import sys
import urllib.parse
import uuid

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest
from zenpy import Zenpy
from zenpy.lib.api_objects import Comment, Ticket, User
from zenpy.lib.exception import APIException


class To(HTTPAdapter):
    """Both libraries insist on https and a vendor's host; the sandbox is elsewhere."""

    def __init__(self, base):
        super().__init__()
        self.base = base

    def send(self, request, **kw):
        path = urllib.parse.urlsplit(request.url)
        sent = request.copy()
        sent.url = self.base + path.path + (f"?{path.query}" if path.query else "")
        response = super().send(sent, **kw)
        response.request, response.url = request, request.url
        return response


def session(base):
    s = requests.Session()
    s.mount("https://", To(base))
    return s


def zendesk(base, account):
    z = Zenpy(subdomain="sandbox", email=account["email"], token=account["token"], session=session(base))
    made = z.tickets.create(Ticket(subject="From zenpy", comment=Comment(body="It is dark."), external_id=f"zenpy-{uuid.uuid4()}")).ticket
    assert made.id and made.status in ("new", "open"), made.to_dict()
    assert [t.id for t in z.tickets(ids=[made.id])] == [made.id]
    assert [c.body for c in z.tickets.comments(ticket=made.id)] == ["It is dark."]
    assert [e["type"] for a in z.tickets.audits(ticket=made.id) for e in a.events][:1] == ["Create"]

    read = z.tickets(id=made.id)
    read.comment = Comment(body="A note.", public=False)
    read.safe_update, read.updated_stamp = True, read.updated_at
    z.tickets.update(read)
    read.comment, read.safe_update, read.updated_stamp = Comment(body="Late.", public=False), True, "2020-01-01T00:00:00Z"
    try:
        z.tickets.update(read)
        raise AssertionError("an old updated_stamp was taken")
    except APIException as e:
        assert e.response.status_code == 409, e.response.text
    notes = list(z.tickets.comments(ticket=made.id))
    assert [(c.body, c.public) for c in notes] == [("It is dark.", True), ("A note.", False)], notes

    user = z.users.create_or_update(User(name="Zoe", external_id="zoe", email="zoe@example.com"))
    assert z.users.create_or_update(User(name="Zoe Z", external_id="zoe")).id == user.id
    assert z.users.me().role == "admin"
    try:
        z.tickets(id=99999999)
        raise AssertionError("a ticket that is not there was read")
    except APIException as e:
        assert e.response.status_code == 404


def salesforce(base, account):
    token = requests.post(
        base + "/services/oauth2/token",
        data={"grant_type": "client_credentials", "client_id": account["clientId"], "client_secret": account["clientSecret"]},
        timeout=30,
    ).json()
    assert token["instance_url"] == base, token
    s = Salesforce(instance="sandbox.my.salesforce.com", session_id=token["access_token"], session=session(base), version="68.0")
    key = str(uuid.uuid4())
    made = s.Case.create({"Subject": "From simple-salesforce", "Caseroom_Key__c": key})
    assert made["success"], made
    try:
        s.Case.create({"Subject": "again", "Caseroom_Key__c": key})
        raise AssertionError("a key was taken twice")
    except SalesforceMalformedRequest as e:
        assert e.content[0]["errorCode"] == "DUPLICATE_VALUE", e.content
    assert s.Case.get(made["id"])["Subject"] == "From simple-salesforce"
    assert s.Case.get_by_custom_id("Caseroom_Key__c", key)["Id"] == made["id"]
    s.Case.update(made["id"], {"Status": "Closed"})
    rows = s.query_all(f"SELECT Id, IsClosed FROM Case WHERE Caseroom_Key__c = '{key}'", include_deleted=True)["records"]
    assert [(r["Id"], r["IsClosed"]) for r in rows] == [(made["id"], True)], rows
    assert "DailyApiRequests" in s.limits()
    assert any(f["name"] == "Caseroom_Key__c" for f in s.Case.describe()["fields"])


accounts = json.load(sys.stdin)
zendesk(sys.argv[1], accounts["zendesk"])
salesforce(sys.argv[2], accounts["salesforce"])

"""The service's REST API, version 2: requests, what of their failures may pass, and making things just once."""

import email.utils
import http.client
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request

from .basics import CONSOLE, LIMIT, PODS, Failure, clock, complain, pauses, setting, signals

TIMEOUT_S = 30
LARGEST = 16 << 20  # bytes of an answer


class ApiError(Failure):
    """An answer that is no success; `code` 0: there was none."""

    def __init__(self, method, path, code, detail, retry_after=None, hint=""):
        advice = {401: "; the API key is wrong or was withdrawn", 403: "; the API key lacks this right",
                  402: "; the account has no balance: top it up, then run the same command again"}.get(code, "")
        said = f"{code} {detail}" if code else detail
        super().__init__(LIMIT if code == 402 else PODS, f"API: {method} {path}: {said}{advice}{hint}")
        self.code, self.detail, self.retry_after = code, detail, retry_after
        self.unsure = False  # a refusal, but what was asked may have been done by an earlier try

    def may_pass(self):
        """409: it is amid another change of state; of a POST it is a refusal all the same."""
        return self.code in (409, 429) or self.is_unknown()

    def is_unknown(self):
        """Whether the request may have been carried out all the same."""
        return self.unsure or self.is_lost()

    def is_lost(self):
        return self.code in (0, 408) or self.code >= 500


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to wherever it points."""

    def redirect_request(self, *arguments):
        return None


class Api:
    def __init__(self, url, key, whence="api.key_file or RUNPOD_API_KEY"):
        """`whence` the key is, to be named where it is refused."""
        self.url, self.key, self.whence = url, key, whence
        self.opener = urllib.request.build_opener(NoRedirect)
        self.patience = setting("PATIENCE", 300)  # for what may pass

    def once(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.key}", "Accept": "application/json", "User-Agent": "vsr-pods"}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with self.opener.open(request, timeout=TIMEOUT_S) as answer:
                text = answer.read(LARGEST)
                hear_clock(answer.headers)
                found = json.loads(text) if text.strip() else {}
        except urllib.error.HTTPError as error:
            raise ApiError(method, path, error.code, self.detail(error), wait_of(error.headers),
                           f"; it is that of {self.whence}" if error.code == 401 else "") from None
        except (OSError, http.client.HTTPException) as error:  # no connection, no TLS, no answer in time
            raise ApiError(method, path, 0, getattr(error, "reason", None) or error,
                           hint=f"; api.url is {self.url}") from None
        except ValueError:
            raise ApiError(method, path, 0, "the answer is no JSON") from None
        if not isinstance(found, dict):
            raise ApiError(method, path, 0, "the answer is no JSON object")
        return found

    @staticmethod
    def detail(error):
        """What the service says is wrong, in a line."""
        try:
            answer = json.loads(error.read(LARGEST))
            said = [answer.get("detail") or answer.get("title") or error.reason]
            for more in answer.get("errors") or []:
                said.append(more if isinstance(more, str) else more.get("message") or more.get("detail") or str(more))
            return " ".join("; ".join(dict.fromkeys(map(str, said))).split())[:400]
        except (OSError, ValueError, AttributeError, TypeError, http.client.HTTPException):
            return error.reason

    def request(self, method, path, body=None, patience=None):
        """The answer's document. What may pass is tried again until `patience` is over; of a POST only what surely
        did nothing, since the same thing twice would be billed twice."""
        end = time.monotonic() + (self.patience if patience is None else patience)
        for number, pause in enumerate(pauses()):
            try:
                return self.once(method, path, body)
            except ApiError as error:
                pause = error.retry_after if error.retry_after is not None else pause
                again = error.code == 429 if method == "POST" else error.may_pass()
                if not again or time.monotonic() + pause > end:
                    raise
                if number == 1 and patience is None:
                    complain(f"{error}; tries again")
            signals.wait(pause)

    def create(self, what, body):
        """Makes a pod, a cluster or a volume, whose name nothing else has. After a POST whose fate is unknown the
        name is looked for before there is another; whatever fails then says no more about the first one."""
        end, unsure = time.monotonic() + self.patience, False
        for pause in pauses(2):
            try:
                if unsure:
                    for found in self.list(what):
                        if found.get("name") == body["name"]:
                            return found
                made = self.request("POST", f"/{what}", body)
                if is_entry(made):
                    return made
                raise ApiError("POST", f"/{what}", 0, "the answer has no id that can be used")
            except ApiError as error:
                error.unsure = unsure
                if not error.is_lost() or time.monotonic() + pause > end:
                    raise
                unsure = True
            signals.wait(pause)

    def list(self, what, patience=None):
        """All pods that are no cluster's, all clusters, or all volumes of the account."""
        key = {"pods": "pods", "clusters": "clusters", "network-volumes": "networkVolumes"}[what]
        found, query, seen = [], "", set()
        while True:
            signals.check()
            answer = self.request("GET", f"/{what}{query}", patience=patience)
            found += entries(answer, key, f"/{what}")
            pages = answer.get("pagination")
            cursor = pages.get("nextCursor") if isinstance(pages, dict) else None
            if not cursor:
                return found
            if str(cursor) in seen:
                raise ApiError("GET", f"/{what}", 0, "the list has no end, a page comes again")
            seen.add(str(cursor))
            query = "?" + urllib.parse.urlencode({"cursor": cursor})

    def delete(self, what, identity, patience=None):
        """Ends it for good; that it was gone already is as good. Whether it was there."""
        try:
            self.request("DELETE", f"/{what}/{identity}", patience=patience)
            return True
        except ApiError as error:
            if error.code != 404:
                raise
            return False


def is_entry(each):
    """An object with an id, which gets into paths and into ssh's configuration."""
    return isinstance(each, dict) and isinstance(each.get("id"), str) and bool(re.fullmatch("[A-Za-z0-9_-]+", each["id"]))


unusable = set()  # what was said of already


def entries(answer, key, path):
    """Those of a list in an answer that can be used; what cannot may be ours, and cost."""
    if not isinstance(answer.get(key), list):
        raise ApiError("GET", path, 0, f"the answer has no {key}")
    for each in answer[key]:
        said = ascii({name: each.get(name) for name in ("id", "name")} if isinstance(each, dict) else each)[:200]
        if not is_entry(each) and said not in unusable:
            unusable.add(said)
            complain(f"API: GET {path}: {said} has no id that can be used, and is passed over; look at {CONSOLE} whether it "
                     "costs")
    return [each for each in answer[key] if is_entry(each)]


def hear_clock(headers):
    try:
        clock.hear(email.utils.parsedate_to_datetime(headers["Date"]).timestamp())
    except (TypeError, ValueError, IndexError, OverflowError):
        pass  # none is told


def wait_of(headers):
    """Seconds that a Retry-After asks for; dates, and 0, are left to our own pauses."""
    text = (headers.get("Retry-After") or "").strip()
    return min(float(text), 3600.0) or None if text.isdecimal() else None

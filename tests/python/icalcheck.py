"""Reads an iCalendar from stdin with the icalendar library and writes what it
holds as JSON: {"errors", "name", "method", "refresh", "components": [{"kind",
"uid", "summary", "description", "url", "start", "end", "due", "stamp",
"sequence", "transp"}]}. Times are UTC, RFC 3339.
"""

import json
import sys

from icalendar import Calendar


def time(component, name):
    value = component.get(name)
    return value.dt.strftime("%Y-%m-%dT%H:%M:%SZ") if value is not None else ""


calendar = Calendar.from_ical(sys.stdin.buffer.read())
components = []
errors = [str(e) for e in calendar.errors]
for c in calendar.walk():
    if c.name not in ("VEVENT", "VTODO"):
        continue
    errors += [str(e) for e in c.errors]
    components.append({
        "kind": c.name,
        "uid": str(c["UID"]),
        "summary": str(c["SUMMARY"]),
        "description": str(c["DESCRIPTION"]),
        "url": str(c["URL"]),
        "start": time(c, "DTSTART"),
        "end": time(c, "DTEND"),
        "due": time(c, "DUE"),
        "stamp": time(c, "DTSTAMP"),
        "sequence": int(c["SEQUENCE"]),
        "transp": str(c.get("TRANSP", "")),
    })
json.dump({
    "errors": errors,
    "name": str(calendar["X-WR-CALNAME"]),
    "method": str(calendar["METHOD"]),
    "refresh": str(calendar["REFRESH-INTERVAL"].to_ical(), "ascii"),
    "components": components,
}, sys.stdout)

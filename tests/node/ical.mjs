// Reads an iCalendar from stdin with ical.js and writes what it holds as JSON,
// as tests/python/icalcheck.py does.
import { readFileSync } from 'node:fs';
import ICAL from 'ical.js';

const calendar = new ICAL.Component(ICAL.parse(readFileSync(0, 'utf8')));
const time = (c, name) => c.getFirstPropertyValue(name)?.toJSDate().toISOString().replace('.000', '') ?? '';
const text = (c, name) => String(c.getFirstPropertyValue(name) ?? '');
const components = [...calendar.getAllSubcomponents('vevent'), ...calendar.getAllSubcomponents('vtodo')].map((c) => ({
  kind: c.name.toUpperCase(),
  uid: text(c, 'uid'),
  summary: text(c, 'summary'),
  description: text(c, 'description'),
  url: text(c, 'url'),
  start: time(c, 'dtstart'),
  end: time(c, 'dtend'),
  due: time(c, 'due'),
  stamp: time(c, 'dtstamp'),
  sequence: Number(c.getFirstPropertyValue('sequence')),
  transp: text(c, 'transp'),
}));
process.stdout.write(JSON.stringify({
  errors: [],
  name: text(calendar, 'x-wr-calname'),
  method: text(calendar, 'method'),
  refresh: calendar.getFirstPropertyValue('refresh-interval').toString(),
  components,
}));

package alarms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// sample is a value of a metric, as CloudWatch gets it.
type sample struct {
	namespace, metric string
	dimensions        map[string]string
	at                time.Time
	value             float64
}

// cloudwatch keeps samples. What functions write in the embedded format is read as
// CloudWatch reads it.
type cloudwatch struct {
	mu      sync.Mutex
	samples []sample
	broken  []string // lines that CloudWatch would drop
}

func (c *cloudwatch) put(s sample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.samples = append(c.samples, s)
}

// Write takes a function's log.
func (c *cloudwatch) Write(line []byte) (int, error) {
	var embedded struct {
		AWS struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name string }
			}
		} `json:"_aws"`
	}
	var members map[string]any
	if json.Unmarshal(line, &embedded) != nil || json.Unmarshal(line, &members) != nil || len(embedded.AWS.CloudWatchMetrics) == 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.broken = append(c.broken, string(bytes.TrimSpace(line)))
		return len(line), nil
	}
	for _, d := range embedded.AWS.CloudWatchMetrics {
		for _, names := range d.Dimensions {
			of := map[string]string{}
			for _, n := range names {
				of[n], _ = members[n].(string)
			}
			for _, m := range d.Metrics {
				value, _ := members[m.Name].(float64)
				c.put(sample{d.Namespace, m.Name, of, time.UnixMilli(embedded.AWS.Timestamp), value})
			}
		}
	}
	return len(line), nil
}

// series selects samples. Every dimension of one must be named, but for those of a
// query, which leaves out what it does not ask for.
type series struct {
	namespace, metric, statistic string
	dimensions                   map[string]string
	query                        bool
}

func (s series) has(x sample) bool {
	if x.namespace != s.namespace || x.metric != s.metric || !s.query && len(x.dimensions) != len(s.dimensions) {
		return false
	}
	for name, value := range s.dimensions {
		if x.dimensions[name] != value {
			return false
		}
	}
	return true
}

// point is a series' value in a period, if it has one.
func (c *cloudwatch) point(s series, from, to time.Time) (value float64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.samples {
		if !s.has(x) || x.at.Before(from) || !x.at.Before(to) {
			continue
		}
		switch s.statistic {
		case "Sum", "SUM":
			value += x.value
		case "Maximum", "MAX":
			value = max(value, x.value)
		default:
			panic("alarms: no statistic " + s.statistic)
		}
		ok = true
	}
	return value, ok
}

// alarm is an alarm of monitoring.yaml, which treats missing data as not breaching.
type alarm struct {
	name      string
	threshold float64
	periods   int
	breaching int // so many of periods
	period    time.Duration
	series    map[string]series
	value     func(of func(id string) (float64, bool)) (float64, bool)
}

// rings reports whether the alarm is in ALARM. Its periods end at whole ones.
func (a alarm) rings(c *cloudwatch, now time.Time) bool {
	n := 0
	end := now.Truncate(a.period)
	for range a.periods {
		start := end.Add(-a.period)
		v, ok := a.value(func(id string) (float64, bool) { return c.point(a.series[id], start, end) })
		if ok && v >= a.threshold {
			n++
		}
		end = start
	}
	return n >= a.breaching
}

var (
	selects = regexp.MustCompile(`^SELECT (SUM|MAX)\((\w+)\) FROM "(\w+)" WHERE (.+)$`)
	equals  = regexp.MustCompile(`^"(\w+)" = '([^']+)'$`)
)

// untaken is the only expression of metrics that alarms have.
const untaken = "IF(visible > 0 AND FILL(received, 0) == 0, 1, 0)"

// load reads monitoring.yaml's alarms, with the values of its parameters.
func load(t *testing.T, parameters map[string]string) map[string]alarm {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "monitoring.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	type dimension struct {
		Name  string `yaml:"Name"`
		Value string `yaml:"Value"`
	}
	var document struct {
		Resources map[string]struct {
			Type       string    `yaml:"Type"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	text := func(s string) string {
		return os.Expand(s, func(name string) string {
			if v, ok := parameters[name]; ok {
				return v
			}
			return name // a logical id: the function's, as the rig names it
		})
	}
	named := func(list []dimension) map[string]string {
		of := map[string]string{}
		for _, d := range list {
			of[d.Name] = text(d.Value)
		}
		return of
	}
	list := map[string]alarm{}
	for name, r := range document.Resources {
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		var p struct {
			Namespace          string      `yaml:"Namespace"`
			MetricName         string      `yaml:"MetricName"`
			Statistic          string      `yaml:"Statistic"`
			Dimensions         []dimension `yaml:"Dimensions"`
			Period             int         `yaml:"Period"`
			Threshold          float64     `yaml:"Threshold"`
			EvaluationPeriods  int         `yaml:"EvaluationPeriods"`
			DatapointsToAlarm  int         `yaml:"DatapointsToAlarm"`
			TreatMissingData   string      `yaml:"TreatMissingData"`
			ComparisonOperator string      `yaml:"ComparisonOperator"`
			Metrics            []struct {
				ID         string `yaml:"Id"`
				Expression string `yaml:"Expression"`
				Period     int    `yaml:"Period"`
				MetricStat *struct {
					Metric struct {
						Namespace  string      `yaml:"Namespace"`
						MetricName string      `yaml:"MetricName"`
						Dimensions []dimension `yaml:"Dimensions"`
					} `yaml:"Metric"`
					Period int    `yaml:"Period"`
					Stat   string `yaml:"Stat"`
				} `yaml:"MetricStat"`
			} `yaml:"Metrics"`
		}
		if err := r.Properties.Decode(&p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if p.TreatMissingData != "notBreaching" || p.ComparisonOperator != "GreaterThanOrEqualToThreshold" {
			t.Fatalf("%s: the test knows no %s and %s", name, p.TreatMissingData, p.ComparisonOperator)
		}
		a := alarm{name: name, threshold: p.Threshold, periods: p.EvaluationPeriods, breaching: p.DatapointsToAlarm, series: map[string]series{}}
		only := func(of func(string) (float64, bool)) (float64, bool) { return of("") }
		seconds := p.Period
		if p.MetricName != "" {
			a.series[""], a.value = series{p.Namespace, p.MetricName, p.Statistic, named(p.Dimensions), false}, only
		}
		for _, q := range p.Metrics {
			seconds = max(seconds, q.Period)
			switch {
			case q.MetricStat != nil:
				m := q.MetricStat
				seconds = max(seconds, m.Period)
				a.series[q.ID] = series{m.Metric.Namespace, m.Metric.MetricName, m.Stat, named(m.Metric.Dimensions), false}
			case q.Expression == untaken:
				a.value = func(of func(string) (float64, bool)) (float64, bool) {
					waiting, known := of("visible")
					if received, _ := of("received"); known && waiting > 0 && received == 0 {
						return 1, true
					}
					return 0, known
				}
			default:
				s, err := query(text(q.Expression))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				a.series[""], a.value = s, only
			}
		}
		a.period = time.Duration(seconds) * time.Second
		if a.value == nil || a.period == 0 || a.periods < a.breaching || a.breaching == 0 {
			t.Fatalf("%s cannot be read: %+v", name, p)
		}
		list[name] = a
	}
	return list
}

// query reads a query of Metrics Insights.
func query(text string) (series, error) {
	m := selects.FindStringSubmatch(text)
	if m == nil {
		return series{}, fmt.Errorf("no query that the test knows: %s", text)
	}
	s := series{m[3], m[2], m[1], map[string]string{}, true}
	for _, condition := range strings.Split(m[4], " AND ") {
		c := equals.FindStringSubmatch(condition)
		if c == nil {
			return series{}, fmt.Errorf("no condition that the test knows: %s", condition)
		}
		maps.Copy(s.dimensions, map[string]string{c[1]: c[2]})
	}
	return s, nil
}

package main

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The parts of a CloudFormation template, in the order in which they are read.

type parameter struct {
	Type          string   `yaml:"Type"`
	AllowedValues []string `yaml:"AllowedValues,flow,omitempty"`
}

type resource struct {
	Type       string `yaml:"Type"`
	Condition  string `yaml:"Condition,omitempty"`
	Properties any    `yaml:"Properties"`
}

type alarmProperties struct {
	AlarmName          sub         `yaml:"AlarmName"`
	AlarmDescription   string      `yaml:"AlarmDescription"`
	Namespace          string      `yaml:"Namespace,omitempty"`
	MetricName         string      `yaml:"MetricName,omitempty"`
	Dimensions         []dimension `yaml:"Dimensions,omitempty"`
	Statistic          string      `yaml:"Statistic,omitempty"`
	Period             int         `yaml:"Period,omitempty"`
	Metrics            []query     `yaml:"Metrics,omitempty"`
	Threshold          int         `yaml:"Threshold"`
	ComparisonOperator string      `yaml:"ComparisonOperator"`
	EvaluationPeriods  int         `yaml:"EvaluationPeriods"`
	DatapointsToAlarm  int         `yaml:"DatapointsToAlarm"`
	TreatMissingData   string      `yaml:"TreatMissingData"`
	AlarmActions       *yaml.Node  `yaml:"AlarmActions"`
	OKActions          *yaml.Node  `yaml:"OKActions"`
}

type dimension struct {
	Name  string `yaml:"Name"`
	Value sub    `yaml:"Value"`
}

type query struct {
	ID         string      `yaml:"Id"`
	Label      string      `yaml:"Label,omitempty"`
	Expression sub         `yaml:"Expression,omitempty"`
	Period     int         `yaml:"Period,omitempty"`
	MetricStat *metricStat `yaml:"MetricStat,omitempty"`
	ReturnData *bool       `yaml:"ReturnData,omitempty"`
}

type metricStat struct {
	Metric statMetric `yaml:"Metric"`
	Period int        `yaml:"Period"`
	Stat   string     `yaml:"Stat"`
}

type statMetric struct {
	Namespace  string      `yaml:"Namespace"`
	MetricName string      `yaml:"MetricName"`
	Dimensions []dimension `yaml:"Dimensions"`
}

type dashboardProperties struct {
	DashboardName sub        `yaml:"DashboardName"`
	DashboardBody *yaml.Node `yaml:"DashboardBody"`
}

// mapping keeps the order of its keys.
type mapping struct {
	node yaml.Node
	err  error
}

func (m *mapping) add(key string, value any) {
	var k, v yaml.Node
	k.SetString(key)
	if err := v.Encode(value); err != nil {
		m.err = fmt.Errorf("%s: %w", key, err)
		return
	}
	m.node.Content = append(m.node.Content, &k, &v)
}

func (m *mapping) MarshalYAML() (any, error) {
	m.node.Kind = yaml.MappingNode
	return &m.node, m.err
}

// sub is a text with references, or one reference alone: !Sub or !Ref; or without.
type sub string

var alone = regexp.MustCompile(`^\$\{(\w+)\}$`)

func (s sub) MarshalYAML() (any, error) {
	if m := alone.FindStringSubmatch(string(s)); m != nil {
		return ref(m[1]), nil
	}
	if !strings.Contains(string(s), "${") {
		return string(s), nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!Sub", Value: string(s)}, nil
}

// literal is a [sub] of many lines.
func literal(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!Sub", Value: s, Style: yaml.LiteralStyle}
}

func ref(name string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!Ref", Value: name}
}

func call(function string, arguments ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: function, Style: yaml.FlowStyle, Content: arguments}
}

func text(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Value: s, Style: yaml.DoubleQuotedStyle}
}

func not(condition *yaml.Node) *yaml.Node { return call("!Not", condition) }

func equals(a *yaml.Node, b string) *yaml.Node { return call("!Equals", a, text(b)) }

// topic is who hears of an alarm.
var topic = call("!If",
	&yaml.Node{Kind: yaml.ScalarNode, Value: "HasAlarmTopic"},
	&yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle, Content: []*yaml.Node{ref("AlarmTopicArn")}},
	ref("AWS::NoValue"))

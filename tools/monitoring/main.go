// Command monitoring writes monitoring.yaml, the nested stack of alarms and
// dashboards, from template.yaml's functions and queues and the tables in this
// folder. It is plain CloudFormation, so that every SAM CLI builds it:
// Fn::ForEach would need a switch that a bare sam build lacks.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: monitoring template.yaml monitoring.yaml")
		os.Exit(2)
	}
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		text, err = generate(text)
	}
	if err == nil {
		err = os.WriteFile(os.Args[2], text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "monitoring:", err)
		os.Exit(1)
	}
}

const (
	head = "# Written by make monitoring from template.yaml and tools/monitoring. Change those.\n"
	says = "caseroom's alarms and dashboards, a part of template.yaml's stack."
)

// generate gives the text of monitoring.yaml.
func generate(template []byte) ([]byte, error) {
	s, err := parse(template)
	if err != nil {
		return nil, err
	}
	alarms, err := s.alarms()
	if err != nil {
		return nil, err
	}
	parameters, conditions, resources := &mapping{}, &mapping{}, &mapping{}
	for _, name := range []string{"StackName", "AlarmTopicArn", "HttpApi"} {
		parameters.add(name, parameter{Type: "String"})
	}
	conditions.add("HasAlarmTopic", not(equals(ref("AlarmTopicArn"), "")))
	for _, c := range s.conditions() {
		parameters.add(c, parameter{Type: "String", AllowedValues: []string{"true", "false"}})
		conditions.add(c, equals(ref(c), "true"))
	}
	for _, f := range s.functions {
		parameters.add(f.id, parameter{Type: "String"})
	}
	for _, a := range alarms {
		resources.add(a.id(), a.resource())
	}
	for _, d := range dashboards {
		body, err := d.body(s, alarms)
		if err != nil {
			return nil, err
		}
		resources.add(d.id, resource{
			Type:      "AWS::CloudWatch::Dashboard",
			Condition: d.condition,
			Properties: dashboardProperties{
				DashboardName: sub(d.name),
				DashboardBody: literal(body),
			},
		})
	}
	out := bytes.NewBufferString(head)
	e := yaml.NewEncoder(out)
	e.SetIndent(2)
	err = e.Encode(struct {
		Version     *yaml.Node `yaml:"AWSTemplateFormatVersion"`
		Description string     `yaml:"Description"`
		Parameters  *mapping   `yaml:"Parameters"`
		Conditions  *mapping   `yaml:"Conditions"`
		Resources   *mapping   `yaml:"Resources"`
	}{text("2010-09-09"), says, parameters, conditions, resources})
	return out.Bytes(), err
}

// stack is what template.yaml has to watch, in its order.
type stack struct {
	functions []watched
	queues    []watched
}

// watched is a function or a queue.
type watched struct {
	id        string // logical, such as SyncFunction
	name      string // the function's folder, or the queue's name as !Sub has it
	condition string
}

func parse(template []byte) (*stack, error) {
	var doc struct {
		Resources yaml.Node `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(template, &doc); err != nil {
		return nil, err
	}
	s := &stack{}
	for i := 0; i+1 < len(doc.Resources.Content); i += 2 {
		var r struct {
			Type       string `yaml:"Type"`
			Condition  string `yaml:"Condition"`
			Properties struct {
				CodeURI   string    `yaml:"CodeUri"`
				QueueName yaml.Node `yaml:"QueueName"`
			} `yaml:"Properties"`
		}
		id := doc.Resources.Content[i].Value
		if err := doc.Resources.Content[i+1].Decode(&r); err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		switch r.Type {
		case "AWS::Serverless::Function":
			s.functions = append(s.functions, watched{id, path.Base(r.Properties.CodeURI), r.Condition})
		case "AWS::SQS::Queue":
			name := r.Properties.QueueName
			if name.Tag != "!Sub" {
				return nil, fmt.Errorf("%s: its QueueName is not written with !Sub", id)
			}
			s.queues = append(s.queues, watched{id, strings.ReplaceAll(name.Value, "${AWS::StackName}", "${StackName}"), r.Condition})
		}
	}
	return s, nil
}

// conditions are those of the functions and queues, each once.
func (s *stack) conditions() (list []string) {
	for _, w := range slices.Concat(s.functions, s.queues) {
		if w.condition != "" && !slices.Contains(list, w.condition) {
			list = append(list, w.condition)
		}
	}
	return list
}

func (s *stack) queue(id string) (watched, error) {
	i := slices.IndexFunc(s.queues, func(q watched) bool { return q.id == id })
	if i < 0 {
		return watched{}, fmt.Errorf("template.yaml has no queue %s", id)
	}
	return s.queues[i], nil
}

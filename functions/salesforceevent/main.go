// Command salesforceevent serves POST /salesforce/events and its IAM twin.
package main

import (
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/sqsqueue"
)

func main() {
	var env struct {
		config.Desks
		config.DeskKeys
		config.Queue
	}
	p := boot.New("salesforceevent", &env)

	p.Serve((&api.SalesforceEvent{
		Auth:       &api.Authenticator{DeskKeys: p.DeskKeys(env.DeskKeys)},
		Configured: env.SalesforceBaseURL != "",
		Queue:      sqsqueue.New[relay.Hint](sqs.NewFromConfig(p.AWS), env.Queue.URL, boot.NewID),
		Meter:      p.Meter,
	}).Routes())
}

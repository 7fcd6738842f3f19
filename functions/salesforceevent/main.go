// Command salesforceevent serves POST /salesforce/events and its IAM twin.
package main

import (
	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootqueue"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
)

func main() {
	var env struct {
		config.Desks
		config.DeskKeys
		config.Queue
		config.BulkQueue
	}
	p := boot.New("salesforceevent", &env)

	p.Serve((&api.SalesforceEvent{
		Auth:       &api.Authenticator{DeskKeys: p.DeskKeys(env.DeskKeys)},
		Configured: env.Desks.SalesforceBaseURL != "",
		Queue:      bootqueue.Of[relay.Hint](p, env.Queue.URL),
		Bulk:       bootqueue.Of[relay.Hint](p, env.BulkQueue.URL),
		Meter:      p.Meter,
	}).Routes())
}

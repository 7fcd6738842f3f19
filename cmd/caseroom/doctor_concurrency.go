package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/caseroom/caseroom/shared/awsenv"
)

// spare is how much of the account's concurrency the functions behind the API
// need while all queues are worked off.
const spare = 10

// lookConcurrency compares what the queues' functions may take with the account's
// concurrency. A new account may have ten in all, and callers of the API then get
// 503 while a backlog is worked off.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html.
func (d *doctor) lookConcurrency(ctx context.Context) {
	const id = "quota.concurrency"
	if len(d.stack.Functions) == 0 {
		d.skip(id, "this is no deployed stack")
		return
	}
	client := lambda.NewFromConfig(d.stack.AWS)
	account, err := client.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil {
		d.bad(id, "let yourself call lambda:GetAccountSettings", "the account's concurrency: %v", awsenv.Told(err))
		return
	}
	taken := 0
	for _, name := range d.stack.Functions {
		mappings, err := client.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{FunctionName: &name})
		if err != nil {
			d.bad(id, "let yourself call lambda:ListEventSourceMappings", "the queue of %s: %v", name, awsenv.Told(err))
			return
		}
		for _, m := range mappings.EventSourceMappings {
			if m.ScalingConfig != nil {
				taken += int(aws.ToInt32(m.ScalingConfig.MaximumConcurrency))
			}
		}
	}
	free := 0
	if account.AccountLimit != nil {
		free = int(aws.ToInt32(account.AccountLimit.UnreservedConcurrentExecutions))
	}
	if free < taken+spare {
		d.bad(id, "ask AWS for more (Service Quotas, Lambda, Concurrent executions); until then deploy with SyncConcurrency=2",
			"the account may run %d functions at once, and this stack's queues take %d of them: too few are left for the API", free, taken)
		return
	}
	d.ok(id, "%d at once, of which this stack's queues take %d", free, taken)
}

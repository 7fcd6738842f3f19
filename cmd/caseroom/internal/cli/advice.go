package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/upstream"
)

// CodeNoCredentials is the code of a failure to find AWS credentials.
const CodeNoCredentials = "NoCredentials"

// advice says what to do about a failure that any command may meet. Commands
// that know better say it themselves, on a line of their own.
func advice(err error) string {
	code := awsenv.ErrorCode(err)
	var up *upstream.Error
	if errors.As(err, &up) && up.Vendor == "sqs" {
		code = up.Code
	}
	code = code[strings.LastIndexByte(code, '.')+1:]
	begins := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(code, p) })
	}
	switch {
	case begins(CodeNoCredentials):
		return "Sign in as for the AWS CLI: aws sso login, AWS_PROFILE or AWS_ACCESS_KEY_ID; or say --profile"
	case begins("AccessDenied", "UnauthorizedOperation"):
		return "Your AWS principal may not do this: docs/command.md lists what each command needs"
	case begins("ExpiredToken", "UnrecognizedClient", "InvalidClientTokenId", "SignatureDoesNotMatch", "InvalidSignature"):
		return "AWS does not take your credentials: sign in again, and check the clock"
	case begins("ResourceNotFoundException"):
		return "It is not in this account and region: docs/configuration.md has the secrets and their keys"
	case up == nil:
		return ""
	case up.Credentials:
		return "caseroom doctor tells which credentials these are, and what to do"
	case up.Quota:
		return "A quota of the vendor's is used up: docs/runbook.md, QuotaExceededAlarm"
	case up.Retryable():
		return "Try again; if it stays, caseroom doctor tells what is wrong"
	}
	return ""
}

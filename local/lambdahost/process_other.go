//go:build !unix

package lambdahost

import "syscall"

func ownGroup() *syscall.SysProcAttr { return nil }

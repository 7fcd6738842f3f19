//go:build unix

package lambdahost

import "syscall"

// ownGroup keeps a terminal's Ctrl-C from the functions: the host ends them.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

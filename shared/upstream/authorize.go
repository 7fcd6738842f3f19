package upstream

import (
	"context"
	"errors"
)

// Secret is where a client's credentials come from.
type Secret[C comparable] struct {
	// Load returns them; it is asked before every call and is expected to cache.
	Load func(context.Context) (C, error)
	// Reread returns them as they are now. It is asked when the vendor refuses what
	// Load returned, and must limit its own rate.
	Reread func(context.Context) (C, error)
}

// ErrSameProof is a prover's word that there is no other proof than the refused one.
var ErrSameProof = errors.New("upstream: there is no other proof")

// Authorize makes a call with a proof of who calls: a token, a signature, or the
// secret itself. prove makes it of the credentials; it is not the refused one,
// which is the zero value at first. refused reports whether the vendor's answer
// is about the proof.
//
// A proof that is refused, or that the credentials do not make, is answered once:
// the secret is read again and the call sent with another proof. So send may only
// call refused what was not carried out. If there is no other proof, the
// vendor's refusal is the answer, for it says more than a failed read.
func Authorize[C comparable, P, R any](
	ctx context.Context,
	secret Secret[C],
	prove func(ctx context.Context, creds C, refused P) (P, error),
	send func(ctx context.Context, proof P) (R, error),
	refused func(R, error) bool,
) (R, error) {
	var none P
	var nothing R
	creds, err := secret.Load(ctx)
	if err != nil {
		return nothing, err
	}
	proof, err := prove(ctx, creds, none)
	if CredentialsRefused(err) {
		fresh, rerr := secret.Reread(ctx)
		if rerr != nil || fresh == creds {
			return nothing, err
		}
		proof, err = prove(ctx, fresh, none)
	}
	if err != nil {
		return nothing, err
	}
	res, err := send(ctx, proof)
	if !refused(res, err) {
		return res, err
	}
	fresh, rerr := secret.Reread(ctx)
	if rerr != nil {
		return res, err
	}
	other, perr := prove(ctx, fresh, proof)
	switch {
	case errors.Is(perr, ErrSameProof):
		return res, err
	case perr != nil:
		return nothing, perr
	}
	return send(ctx, other)
}

// Unauthorized reports whether an answer is a 401, as most vendors refuse a token.
func Unauthorized(res *Response, err error) bool { return err == nil && res.Status == 401 }

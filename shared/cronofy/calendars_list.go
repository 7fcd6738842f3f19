package cronofy

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Calendar is one of a person's calendars.
type Calendar struct {
	ID       string `json:"calendar_id"`
	Name     string `json:"calendar_name"`
	Profile  string `json:"profile_name"` // usually an e-mail address
	ReadOnly bool   `json:"calendar_readonly"`
	Deleted  bool   `json:"calendar_deleted"`
	Primary  bool   `json:"calendar_primary"`
}

// Calendars lists a person's calendars.
//
//	GET /v1/calendars
//	200 {"calendars":[{"calendar_id","calendar_name","calendar_readonly","calendar_deleted","calendar_primary"}]}
//
// See https://docs.cronofy.com/developers/api/calendars/list-calendars/.
func (c *Client) Calendars(ctx context.Context, access string) ([]Calendar, error) {
	const op = "calendars_list"
	res, err := c.call(ctx, access, upstream.Call{Op: op, Method: http.MethodGet, Path: "/v1/calendars"})
	if err != nil {
		return nil, err
	}
	if !res.OK() {
		return nil, c.failed(op, res)
	}
	var answer struct {
		Calendars *[]Calendar `json:"calendars"`
	}
	if err := json.Unmarshal(res.Body, &answer); err != nil || answer.Calendars == nil {
		return nil, c.http.Senseless(op, res)
	}
	return *answer.Calendars, nil
}

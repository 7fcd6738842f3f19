package tencentim

import "context"

// Text is a text that the app's admin sends to a group.
type Text struct {
	GroupID string
	Text    string
	// Random and Text make the message: the vendor drops a second one of the
	// same within five minutes and answers with the first one's sequence number.
	Random     uint32
	CustomData string // for clients, JSON
}

// SendText sends a text in the admin's name, who may also speak where all are
// muted, and returns its sequence number. Random makes it safe to repeat at once.
// See https://trtc.io/document/34959.
func (c *Client) SendText(ctx context.Context, t Text) (seq uint64, err error) {
	type content struct{ Text string }
	type element struct {
		MsgType    string
		MsgContent content
	}
	in := struct {
		GroupID         string `json:"GroupId"`
		Random          uint32
		MsgBody         []element
		CloudCustomData string `json:",omitempty"`
	}{t.GroupID, t.Random, []element{{elemText, content{t.Text}}}, t.CustomData}
	out, err := repeat[struct{ MsgSeq uint64 }](ctx, c, groupService, "send_group_msg", in)
	if err == nil && out.MsgSeq == 0 {
		err = incomplete("send_group_msg")
	}
	return out.MsgSeq, err
}

package tencentim

import (
	"context"
	"encoding/json"
)

// MaxMessages is how many messages one [Client.GetMessages] returns.
const MaxMessages = 20

// GroupMessage is a message of a group's history.
type GroupMessage struct {
	Seq         uint64 `json:"MsgSeq"`
	From        string `json:"From_Account"`
	Time        int64  `json:"MsgTimeStamp"` // Unix seconds
	Random      uint32 `json:"MsgRandom"`
	Body        []Element
	CustomData  string `json:"CloudCustomData"`
	IsSystemMsg int
	// Place is 0 for a message, 1 where one expired or was deleted, 2 where one
	// was recalled.
	Place int `json:"IsPlaceMsg"`
}

// Element is one part of a message: a text, an image, a file.
type Element struct {
	Type    string          `json:"MsgType"` // such as TIMTextElem
	Content json.RawMessage `json:"MsgContent"`
}

// GetMessages returns up to [MaxMessages] messages of a group, newest first,
// none newer than the sequence number from; 0 begins at the newest. Where they
// are long it returns fewer (the answer's IsFinished is 0 then too), so only an
// empty answer says that nothing older is kept. It changes nothing, so it may be
// repeated.
// See https://trtc.io/document/34971.
func (c *Client) GetMessages(ctx context.Context, groupID string, from uint64) ([]GroupMessage, error) {
	in := struct {
		GroupID      string `json:"GroupId"`
		ReqMsgNumber int
		ReqMsgSeq    uint64 `json:",omitempty"`
		WithRecalled int    `json:"WithRecalledMsg"`
	}{groupID, MaxMessages, from, 1}
	type message struct {
		GroupMessage
		MsgBody json.RawMessage
	}
	out, err := repeat[struct{ RspMsgList *[]message }](ctx, c, groupService, "group_msg_get_simple", in)
	if err != nil {
		return nil, err
	}
	if out.RspMsgList == nil {
		return nil, incomplete("group_msg_get_simple")
	}
	list := make([]GroupMessage, 0, len(*out.RspMsgList))
	for _, m := range *out.RspMsgList {
		// A body of another shape, as holes have, is a message without elements.
		_ = json.Unmarshal(m.MsgBody, &m.Body)
		list = append(list, m.GroupMessage)
	}
	return list, nil
}

package zendesk

// CommentHTML is commentHTML for its fuzz test.
var CommentHTML = commentHTML

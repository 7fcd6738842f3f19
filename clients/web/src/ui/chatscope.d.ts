declare module "@chatscope/chat-ui-kit-react/dist/es/Message" {
  export { Message as default } from "@chatscope/chat-ui-kit-react";
}
declare module "@chatscope/chat-ui-kit-react/dist/es/MessageList" {
  export { MessageList as default } from "@chatscope/chat-ui-kit-react";
}
declare module "@chatscope/chat-ui-kit-react/dist/es/MessageSeparator" {
  export { MessageSeparator as default } from "@chatscope/chat-ui-kit-react";
}
declare module "@chatscope/chat-ui-kit-react/dist/es/TypingIndicator" {
  export { TypingIndicator as default } from "@chatscope/chat-ui-kit-react";
}

// The parts of the component library that are used, each from its own module:
// its index also brings icon fonts, which put a style element into the page.
export { default as Message } from "@chatscope/chat-ui-kit-react/dist/es/Message";
export { default as MessageList } from "@chatscope/chat-ui-kit-react/dist/es/MessageList";
export { default as MessageSeparator } from "@chatscope/chat-ui-kit-react/dist/es/MessageSeparator";
export { default as TypingIndicator } from "@chatscope/chat-ui-kit-react/dist/es/TypingIndicator";

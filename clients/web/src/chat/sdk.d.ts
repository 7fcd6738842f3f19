// The package describes its all-in-one file; these are the same code in parts,
// of which a chat needs two.
declare module "@tencentcloud/chat/index.es.js" {
  export { default } from "@tencentcloud/chat";
}
declare module "@tencentcloud/chat/modules/group-module.js" {
  const groupModule: unknown;
  export default groupModule;
}

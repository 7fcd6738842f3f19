/** Which chat a page talks to. */
export type ChatConfig =
  | { kind: "tencent" }
  /** The local run's stand-in; url is where the sandbox listens. */
  | { kind: "sandbox"; url: string };

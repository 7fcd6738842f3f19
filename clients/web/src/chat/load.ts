import { type Chat, ChatError } from "./chat";
import type { ChatConfig } from "./config.js";

export type { ChatConfig };

/** Loads the code of a chat when it is first needed; rejects with "blocked" if it does not come. */
export async function loadChat(config: ChatConfig, sdkAppId: number): Promise<Chat> {
  if (config.kind === "sandbox") {
    try {
      const { SandboxChat } = await import("./sandbox");
      return new SandboxChat(config.url);
    } catch {
      throw new ChatError("blocked");
    }
  }
  try {
    const { TencentChat } = await import("./tencent");
    return await TencentChat.load(sdkAppId);
  } catch {
    throw new ChatError("blocked");
  }
}

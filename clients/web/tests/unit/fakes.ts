import type {
  Chat,
  ChatEvents,
  Credentials,
  Member,
  Message,
  Page,
  Room,
} from "../../src/chat/chat";
import { ChatError } from "../../src/chat/chat";
import { Emitter } from "../../src/chat/emitter";

export function credentials(more: Partial<Credentials> = {}): Credentials {
  return {
    sdkAppId: 1400000000,
    userId: "dana",
    userSig: "sig",
    expiresAt: new Date(Date.now() + 24 * 3600_000).toISOString(),
    ...more,
  };
}

export function message(seq: number, more: Partial<Message> = {}): Message {
  return {
    seq,
    time: seq * 1000,
    from: "zd_1",
    nick: "Alex",
    mine: false,
    kind: "text",
    text: `message ${seq}`,
    state: "sent",
    ...more,
  };
}

/** A chat in memory, which refuses what the vendors refuse. */
export class MemoryChat extends Emitter implements Chat {
  logins: Credentials[] = [];
  refuse: ChatError[] = [];
  in: Member[] = [{ userId: "dana", nick: "Dana" }];
  muted = false;
  list: Message[] = [];
  sent: string[] = [];
  closed = false;
  readonly limits = { text: 1000, file: 1000 };
  pageSize = 3;

  async login(c: Credentials): Promise<void> {
    this.logins.push(c);
    const err = this.refuse.shift();
    if (err) throw err;
    this.became("online");
  }
  async rooms(): Promise<Room[]> {
    if (!this.in.some((m) => m.userId === "dana")) return [];
    return [{ groupId: "ZENDESK#1", name: "", muted: this.muted, memberCount: this.in.length }];
  }
  async room(groupId: string): Promise<Room | undefined> {
    return (await this.rooms()).find((r) => r.groupId === groupId);
  }
  async members(): Promise<Member[]> {
    return [...this.in];
  }
  async history(_: string, before = Number.POSITIVE_INFINITY): Promise<Page> {
    const older = this.list.filter((m) => m.seq < before);
    return { messages: older.slice(-this.pageSize), complete: older.length <= this.pageSize };
  }
  async sendText(_: string, text: string, clientId: string): Promise<Message> {
    const err = this.refuse.shift();
    if (err) throw err;
    if (this.muted) throw new ChatError("muted", 10017);
    this.sent.push(clientId);
    const m = message(this.list.length + 1, { from: "dana", mine: true, text, clientId });
    this.list.push(m);
    return m;
  }
  async sendFile(
    groupId: string,
    file: File,
    clientId: string,
    _onProgress?: (part: number) => void,
  ): Promise<Message> {
    return this.sendText(groupId, file.name, clientId);
  }
  typing(): void {}
  reads: number[] = [];
  read(_: string, seq: number): void {
    this.reads.push(seq);
  }
  async close(): Promise<void> {
    this.closed = true;
  }
  say<E extends keyof ChatEvents>(event: E, detail: ChatEvents[E]): void {
    if (event === "connection") this.became(detail as never);
    else this.emit(event, detail);
  }
}

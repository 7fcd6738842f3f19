/**
 * The few things that a chat about a ticket needs, whoever carries it:
 * Tencent's Web SDK ({@link ./tencent.ts}) or the sandbox ({@link ./sandbox.ts}).
 */

/** One person's credential for the chat, as createticket and usersig answer it. */
export interface Credentials {
  sdkAppId: number;
  userId: string;
  userSig: string;
  /** When the UserSig ends; RFC 3339. */
  expiresAt: string;
}

export type Connection =
  /** Logging in, or trying to get a lost connection back. */
  | "connecting"
  | "online"
  /** The network is gone; the implementation keeps trying. */
  | "offline"
  /** The UserSig is no longer taken. {@link Chat.login} with a new one goes on. */
  | "expired"
  /** The same person logged in elsewhere and this login was ended. */
  | "kicked"
  /** The operator ended this login; logging in again is not for the client to decide. */
  | "ended";

/**
 * What caseroom itself tells a room: the CloudCustomData of its notices. Others may send
 * the same; only a room's members tell whose it is.
 */
export interface Notice {
  kind: "waiting" | "joined" | "ended" | "merged";
  /** The surviving request of a merge that the customer may open. */
  ticket?: string;
  /** The names of who joined. */
  agents?: string;
}

export interface Message {
  /** Ascending and unique in a room; 0 while it is being sent. */
  seq: number;
  /** Names a message of this client from the moment it is sent. */
  clientId?: string;
  /** Milliseconds since 1970. */
  time: number;
  from: string;
  nick: string;
  mine: boolean;
  /** "request" is what the customer asked for, as the room's first message says it. */
  kind: "text" | "image" | "file" | "notice" | "tip" | "request" | "unsupported";
  text?: string;
  /** Of a request. */
  subject?: string;
  /** Of an image or file. */
  url?: string;
  name?: string;
  /** Bytes. */
  size?: number;
  notice?: Notice;
  /** Of a file that is being sent: the part that has gone up, from 0 to 1. */
  progress?: number;
  recalled?: boolean;
  /** Somebody changed it after it was sent; any member of a room can. */
  edited?: boolean;
  state: "sent" | "sending" | "failed";
  /** Why it failed. */
  error?: ChatErrorCode;
}

export interface Room {
  groupId: string;
  name: string;
  /** The ticket has ended: only the stack itself may write. */
  muted: boolean;
  memberCount: number;
  /** The seq and time (milliseconds since 1970) of its last message, where they are known. */
  lastSeq?: number;
  lastTime?: number;
}

export interface Member {
  userId: string;
  nick: string;
}

/** A page of history, oldest message first. */
export interface Page {
  messages: Message[];
  /** Whether nothing older is left. */
  complete: boolean;
}

/** What a vendor takes, in bytes. */
export interface Limits {
  /** Of a text in UTF-8. */
  text: number;
  file: number;
}

export interface ChatEvents {
  connection: Connection;
  /** A new message, or a known one that was changed. */
  message: { groupId: string; message: Message };
  recalled: { groupId: string; seq: number };
  typing: { groupId: string; userId: string };
  /** A member has read up to seq; only where the vendor says so. */
  read: { groupId: string; userId: string; seq: number };
  /** A room was locked, unlocked, renamed, or its members changed. */
  room: { groupId: string };
}

/**
 * Chat is one login. Its methods reject with {@link ChatError}; nothing of a
 * credential stands in an error.
 */
export interface Chat {
  /** Logs in, or goes on with a renewed credential of the same person. */
  login(credentials: Credentials): Promise<void>;
  /** The rooms this person is a member of. */
  rooms(): Promise<Room[]>;
  /** One of them; undefined when this person is not (or no longer) a member. */
  room(groupId: string): Promise<Room | undefined>;
  members(groupId: string): Promise<Member[]>;
  /** The messages before a seq, or the latest ones. */
  history(groupId: string, before?: number): Promise<Page>;
  sendText(groupId: string, text: string, clientId: string): Promise<Message>;
  /** Sends an image where the file is one, else a file; onProgress hears the part that is up. */
  sendFile(
    groupId: string,
    file: File,
    clientId: string,
    onProgress?: (part: number) => void,
  ): Promise<Message>;
  /** Tells the others that this person is writing. Never fails. */
  typing(groupId: string): void;
  /** Tells the vendor what this person has read. Never fails. */
  read(groupId: string, seq: number): void;
  on<E extends keyof ChatEvents>(event: E, listener: (detail: ChatEvents[E]) => void): () => void;
  readonly connection: Connection;
  readonly limits: Limits;
  /** Logs out and lets go of the connection. */
  close(): Promise<void>;
}

/** What a person can do about an error; the user interface has a text for each. */
export type ChatErrorCode =
  /** No connection, or no answer in time: it is safe to try again. */
  | "offline"
  /** The SDK itself could not be loaded. */
  | "blocked"
  /** The UserSig has expired. */
  | "expired"
  /** The credential is refused for another reason: a setting is wrong. */
  | "refused"
  /** The room is locked. */
  | "muted"
  /** This person is not a member of the room. */
  | "not_member"
  /** The room is gone. */
  | "gone"
  /** A text or file is larger than {@link Limits}. */
  | "too_large"
  /** A file of a type that is not taken. */
  | "bad_type"
  /** A file without content. */
  | "empty"
  /** Moderation refused the message. */
  | "moderated"
  | "busy"
  /** The operator's plan allows no more people today, or no more at all. */
  | "plan"
  | "unknown";

export class ChatError extends Error {
  override name = "ChatError";
  constructor(
    readonly code: ChatErrorCode,
    /** The vendor's number, for support; 0 if there is none. */
    readonly vendorCode = 0,
  ) {
    super(vendorCode ? `chat: ${code} (${vendorCode})` : `chat: ${code}`);
  }
}

import { ChatError, type ChatErrorCode } from "./chat";

// https://trtc.io/document/34348 and the Web SDK's own 2xxx numbers.
const codes: Record<number, ChatErrorCode> = {
  70001: "expired",
  70003: "refused",
  70009: "refused",
  70013: "refused",
  70014: "refused",
  70016: "refused",
  70020: "refused",
  70050: "busy",
  70051: "refused",
  6206: "expired",
  10007: "not_member",
  10010: "gone",
  10015: "gone",
  10017: "muted",
  10023: "busy",
  60007: "busy",
  60018: "busy",
  80001: "moderated",
  80004: "moderated",
  80002: "too_large",
  2024: "offline",
  // One login at a time, and none within 15 seconds of another.
  2025: "busy",
  2080: "busy",
  2259: "too_large",
  2351: "too_large",
  2401: "too_large",
  2620: "not_member",
  2621: "gone",
  2800: "offline",
  2801: "offline",
  2802: "offline",
  2805: "offline",
};

/** Classifies a vendor's number; both implementations speak Tencent's. */
export function vendorError(code: number): ChatError {
  return new ChatError(codes[code] ?? "unknown", code);
}

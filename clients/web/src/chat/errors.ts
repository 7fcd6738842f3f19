import { ChatError, type ChatErrorCode } from "./chat";

/** Numbers that the Web SDK itself makes, as its package names them. */
export const sdkCodes: Record<number, ChatErrorCode> = {
  2024: "offline", // USER_NOT_LOGGED_IN
  2025: "busy", // REPEAT_LOGIN: one login at a time, and none within 15 seconds of another
  2041: "offline", // COS_GET_SIG_FAIL
  2108: "empty", // MSG_F_IS_EMPTY
  2252: "bad_type", // MSG_I_TYPES_LIMIT
  2253: "too_large", // MSG_I_SIZE_LIMIT
  2400: "offline", // MSG_F_UPLOAD_FAIL
  2402: "too_large", // MSG_F_SIZE_LIMIT
  2603: "not_member", // CANNOT_FIND_GRP: it is not among this person's rooms
  2623: "not_member", // MEMBER_NOT_IN_GRP
  2800: "offline", // NETWORK_ERROR
  2801: "offline", // NETWORK_TIMEOUT
  2805: "offline", // NO_NETWORK
  2996: "busy", // OVER_FREQUENCY_LIMIT
  2999: "offline", // SDK_IS_NOT_READY
  3123: "moderated", // PROFANITY_FOUND
  60022: "busy", // OPEN_SERVICE_OVERLOAD_ERROR
};

/** Numbers that Tencent's servers answer: https://trtc.io/document/34348. */
const serverCodes: Record<number, ChatErrorCode> = {
  10007: "not_member",
  10010: "gone",
  10015: "gone",
  10017: "muted",
  10023: "busy",
  60007: "busy",
  60018: "busy",
  60020: "plan",
  70001: "expired",
  70003: "refused",
  70009: "refused",
  70013: "refused",
  70014: "refused",
  70016: "refused",
  70020: "refused",
  70050: "busy",
  70051: "refused",
  70398: "plan",
  72000: "plan",
  72002: "plan",
  80001: "moderated",
  80002: "too_large",
  80004: "moderated",
};

/** Classifies a vendor's number; both implementations speak Tencent's. */
export function vendorError(code: number): ChatError {
  return new ChatError(sdkCodes[code] ?? serverCodes[code] ?? "unknown", code);
}

/**
 * A version 7 UUID (RFC 9562): it carries its time, so as an idempotency key it
 * holds for ever.
 */
export function uuidv7(
  now = Date.now(),
  random = crypto.getRandomValues(new Uint8Array(10)),
): string {
  const b = new Uint8Array(16);
  new DataView(b.buffer).setUint32(0, Math.floor(now / 2 ** 16));
  new DataView(b.buffer).setUint16(4, now % 2 ** 16);
  b.set(random.subarray(0, 10), 6);
  b[6] = 0x70 | ((b[6] as number) & 0x0f);
  b[8] = 0x80 | ((b[8] as number) & 0x3f);
  const hex = Array.from(b, (x) => x.toString(16).padStart(2, "0")).join("");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}

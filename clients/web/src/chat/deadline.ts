/** A signal that aborts after some milliseconds; Safari before 16 has none of its own. */
export function timeout(ms: number): AbortSignal {
  if (AbortSignal.timeout) return AbortSignal.timeout(ms);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), ms);
  return controller.signal;
}

// Everything that is thrown on purpose; the names are those of the Python package.

/** Base of all errors of the decoder; the message is one line for people. */
export class AecError extends Error {
  override name = "AecError";
}

/** The bytes are not a valid .aec file; the message names the field, its value and the limit. */
export class FormatError extends AecError {
  override name = "FormatError";
}

/** A valid file asks for more than `Limits` allow. */
export class LimitError extends FormatError {
  override name = "LimitError";
}

/** The model that a file was written with is missing or broken. */
export class ModelError extends AecError {
  override name = "ModelError";
}

/** An option has a value that it can't have. */
export class UsageError extends AecError {
  override name = "UsageError";
}

const KINDS: Record<string, new (message: string) => Error> = { AecError, FormatError, LimitError, ModelError, UsageError };

/** An error as it crosses from a worker. */
export interface PlainError {
  name: string;
  message: string;
}

/** The inverse of sending `{name, message}` from a worker. */
export function revived({ name, message }: PlainError): Error {
  const Kind = KINDS[name];
  if (Kind) return new Kind(message);
  return name === "AbortError" ? new DOMException(message, name) : new Error(message);
}

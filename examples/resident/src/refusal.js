// Refusal: the resident process says no to a message, with a code a program can act on. It knows no transport.

/** Thrown by whatever handles a message; becomes `{"res":"fail","code","msg"}` for the peer. */
export class Refusal extends Error {
  /** @param {string} code upper case, documented in the README  @param {string} message one sentence for a person */
  constructor(code, message) {
    super(message)
    this.name = 'Refusal'
    this.code = code
  }
}

/** The mode that a program asks for. The umask is taken off where no default access control list says otherwise. */
export interface AskedMode {
  mode: number;
  umask?: number;
}

/** A number is a mode from which the umask has been taken off. */
export function modeAndUmask(asked: number | AskedMode): AskedMode {
  return typeof asked === 'number' ? { mode: asked } : asked;
}

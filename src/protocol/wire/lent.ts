// Memory that is used again once whoever has it says that they are done. Not
// to say so is always safe: the garbage collector takes it then.

const lenders = new WeakMap<object, () => void>();

/** Whoever gets `thing` may give it back, once, and must not look at it afterwards. */
export function lend<T extends object>(thing: T, takeBack: () => void): T {
  lenders.set(thing, takeBack);
  return thing;
}

/** Gives lent memory back; nothing happens with anything else. */
export function giveBack(thing: object): void {
  const takeBack = lenders.get(thing);
  if (takeBack === undefined) return;
  lenders.delete(thing);
  takeBack();
}

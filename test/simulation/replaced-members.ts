// Classes of the servers with other members in place of their own, for one run.

/** Defines other members in place of a class's for one run. */
export function instead<T extends object>(
  { prototype }: { prototype: T },
  members: (real: T) => Partial<T> & ThisType<T>,
): () => () => void {
  return () => {
    const replaced = Object.getOwnPropertyDescriptors(members(realOf(prototype)));
    const before = Object.keys(replaced).map(
      (name) => [name, Object.getOwnPropertyDescriptor(prototype, name)] as const,
    );
    Object.defineProperties(prototype, replaced);
    return () => {
      for (const [name, descriptor] of before) if (descriptor) Object.defineProperty(prototype, name, descriptor);
    };
  };
}

export function both(one: () => () => void, other: () => () => void): () => () => void {
  return () => {
    const undo = [one(), other()];
    return () => {
      for (const each of undo) each();
    };
  };
}

/** The members as they were. */
function realOf<T extends object>(prototype: T): T {
  return Object.defineProperties({}, Object.getOwnPropertyDescriptors(prototype)) as T;
}

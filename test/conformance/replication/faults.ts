// What goes wrong in a simulated group, and how often.

export interface Faults {
  /** Share of messages. */
  loss: number;
  repetition: number;
  /** In units of time. */
  longestDelay: number;
  longestWrite: number;
  /** Chance per unit of time of each. */
  crash: number;
  /** That a member that crashes starts again at once. */
  quickRestart: number;
  damage: number;
  wipe: number;
  partition: number;
  membership: number;
  transfer: number;
}

export const NO_FAULTS: Faults = {
  loss: 0,
  repetition: 0,
  longestDelay: 1,
  longestWrite: 1,
  crash: 0,
  quickRestart: 0,
  damage: 0,
  wipe: 0,
  partition: 0,
  membership: 0,
  transfer: 0,
};

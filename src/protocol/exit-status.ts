// How a data server that was asked to end tells its supervisor what is to
// happen next. Other statuses (and signals) are crashes: it is started again.

/** The terminate hook: it is left as it is until somebody starts it. */
export const TERMINATE_STATUS = 86;
/** The restart hook: a new process at once, with its store. */
export const RESTART_STATUS = 87;
/** The same, with its store wiped first. */
export const RESTART_BLANK_STATUS = 88;

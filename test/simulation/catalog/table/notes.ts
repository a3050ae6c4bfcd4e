// A few words on what surprises in the table of protocols, by fault.

export const NOTES: Readonly<Record<string, string>> = {};

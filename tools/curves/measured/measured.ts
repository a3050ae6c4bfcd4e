// What all curves have in common: they are measured on clusters of their own, and answer their figures by name.
import type { CurveFigures } from '../figures.js';
import type { Sizes } from '../sizes.js';

/** Called with what is measured next. */
export type Progress = (what: string) => void;

/** One set of clusters may give several curves. */
export type Measure = (sizes: Sizes, progress: Progress) => Promise<Record<string, Omit<CurveFigures, 'stamp'>>>;

/** Data servers where nothing else is said. */
export const USUAL_SERVERS = 3;

// The program that child processes of the command line run: the nmrfs command itself.
import { fileURLToPath } from 'node:url';

export const COMMAND_FILE = fileURLToPath(new URL('./main.js', import.meta.url));

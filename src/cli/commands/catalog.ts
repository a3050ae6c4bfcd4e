// nmrfs catalog: the replicated map from paths to values.
import type { Command } from 'commander';

export function addCatalogCommands(program: Command): void {
  const group = program.command('catalog').description('a small replicated map from paths to values');
  group
    .command('serve')
    .description('run one server of a catalog')
    .argument('<config>', "a file in YAML, or in SurfStore's form (M: 5, metadata0: HOST:PORT …)")
    .argument('<id>', 'its name, or its number in the file')
    .action(serve);
}

async function serve(config: string, id: string): Promise<void> {
  const { serveCatalog } = await import('../catalog/serve-catalog.js');
  await serveCatalog(config, id);
}

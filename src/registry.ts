/** Parts that a config names: those that come with the project, and those that a user's plugins add. */
import { UsageError } from './errors.ts';

export class Registry<Part extends object> {
  private readonly added = new Map<string, { part: Part; plugin?: string }>();

  /** @param what the parts are, in the singular: `encoding`. */
  constructor(
    readonly what: string,
    private readonly builtIn: Readonly<Record<string, Part>>,
  ) {}

  /** All parts by name, those of the project first. */
  all(): [name: string, part: Part][] {
    const added = [...this.added].map(([name, { part }]): [string, Part] => [name, part]);
    return [...Object.entries(this.builtIn), ...added];
  }

  names(): string[] {
    return this.all().map(([name]) => name);
  }

  /** @throws UsageError where there is none of that name, naming those that there are. */
  get(name: string): Part {
    const part = Object.hasOwn(this.builtIn, name) ? this.builtIn[name] : this.added.get(name)?.part;
    if (part) return part;
    throw new UsageError(`${this.what} "${name}" is unknown; choose one of ${this.names().join(', ')}`);
  }

  /**
   * Adds a part. The same one may be added again, and a plugin may put another in place of what it added before.
   *
   * @param plugin the path of the plugin that brings it, if it comes from one.
   * @throws UsageError where the name is another's.
   */
  add(name: string, part: Part, plugin?: string): void {
    const known = this.added.get(name);
    const isOwn = known && (known.part === part || (plugin !== undefined && known.plugin === plugin));
    if (this.names().includes(name) && !isOwn) {
      const owner = known ? (known.plugin ?? 'another of this name') : 'the project itself';
      const where = plugin === undefined ? '' : `plugin ${plugin}: `;
      throw new UsageError(`${where}${this.what} "${name}" is taken by ${owner}; give it another name`);
    }
    this.added.set(name, { part, plugin });
  }

  /** Takes away what a plugin added. */
  removeOf(plugin: string): void {
    for (const [name, known] of this.added) if (known.plugin === plugin) this.added.delete(name);
  }
}

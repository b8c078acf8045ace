// What the reader chose, kept in the browser where that is allowed.

const key = (name) => `vultus.${name}`;

export function load(name, fallback) {
  try {
    return JSON.parse(localStorage.getItem(key(name))) ?? fallback;
  } catch {
    return fallback;
  }
}

export function save(name, value) {
  try {
    localStorage.setItem(key(name), JSON.stringify(value));
  } catch {
    // Without storage the choice holds until the page is closed.
  }
}

/** Makes a checkbox or a select remember its state. */
export function remember(input, changed) {
  const field = input.type === 'checkbox' ? 'checked' : 'value';
  const before = input[field];
  input[field] = load(input.id, before);
  // A value that the select does not have would leave it empty.
  if (input[field] === '') input[field] = before;
  input.addEventListener('change', () => {
    save(input.id, input[field]);
    changed?.(input[field]);
  });
}

/** The switch between light, dark and the system's theme. `changed` is called whenever colours may have changed. */
export function themes(changed) {
  const root = document.documentElement;
  const chosen = root.dataset.theme ?? 'auto';
  for (const input of document.querySelectorAll('input[name=theme]')) {
    input.checked = input.value === chosen;
    input.addEventListener('change', () => {
      if (input.value === 'auto') delete root.dataset.theme;
      else root.dataset.theme = input.value;
      saveTheme(input.value);
      changed();
    });
  }
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
}

// A plain word, since theme.js reads it before anything else is there.
function saveTheme(theme) {
  try {
    localStorage.setItem(key('theme'), theme);
  } catch {
    // As above.
  }
}

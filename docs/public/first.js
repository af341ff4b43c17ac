// What must be known before the first frame: the theme that was chosen on any page of the site, and which key search is on.
const theme = localStorage.getItem('webgpu-optim:theme') ?? 'auto';
const isDark = theme === 'auto' ? matchMedia('(prefers-color-scheme: dark)').matches : theme === 'dark';
document.documentElement.classList.toggle('dark', isDark);
document.documentElement.classList.toggle('mac', /Mac|iPhone|iPod|iPad/i.test(navigator.platform));

/** VitePress' own theme without its fonts: the other pages have those of the system, too. */
import DefaultTheme from 'vitepress/theme-without-fonts';
import './style.css';

export default DefaultTheme;

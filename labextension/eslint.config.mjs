import js from '@eslint/js';
import a11y from 'eslint-plugin-jsx-a11y';
import hooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import typescript from 'typescript-eslint';

export default typescript.config(
  { ignores: ['lib', 'coverage', 'node_modules', 'src/openapi.ts'] },
  js.configs.recommended,
  {
    files: ['**/*.cjs'],
    languageOptions: { globals: globals.node, sourceType: 'commonjs' }
  },
  {
    files: ['src/**/*.{ts,tsx}'],
    extends: [...typescript.configs.recommendedTypeChecked, a11y.flatConfigs.recommended],
    plugins: { 'react-hooks': hooks },
    languageOptions: {
      globals: globals.browser,
      parserOptions: { project: 'tsconfig.test.json', tsconfigRootDir: import.meta.dirname }
    },
    rules: {
      ...hooks.configs.recommended.rules,
      curly: ['error', 'all'],
      eqeqeq: 'error',
      'no-console': 'error'
    }
  }
);
